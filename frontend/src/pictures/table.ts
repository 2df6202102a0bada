/** The numbers behind a picture: what the table shows and the CSV holds. */
export interface Table {
  head: string[];
  rows: (string | number | null)[][];
}

function field(value: string | number | null): string {
  if (value === null) return "";
  let text = String(value);
  // A name that starts like a formula must stay a name in a spreadsheet.
  if (typeof value === "string" && /^[=+\-@\t\r]/.test(text)) text = `'${text}`;
  return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

export const toCsv = ({ head, rows }: Table): string =>
  `${[head, ...rows].map((r) => r.map(field).join(",")).join("\r\n")}\r\n`;

/** At most four significant digits for the eye; the CSV keeps them all. */
export const cellText = (value: string | number | null): string => {
  if (value === null) return "–";
  if (typeof value === "string" || Number.isInteger(value) || !Number.isFinite(value)) return String(value);
  return Number(value.toPrecision(4)).toString();
};
