/** A resolved spec as YAML-like text, for reading; the JSON beside it is for machines. */
export function toYaml(value: unknown, indent = ""): string {
  if (Array.isArray(value)) {
    if (value.every(isPlain)) return `${indent}[${value.map(plain).join(", ")}]`;
    return value.map((item) => `${indent}- ${toYaml(item, `${indent}  `).trimStart()}`).join("\n");
  }
  if (!isPlain(value)) {
    const entries = Object.entries(value as Record<string, unknown>);
    if (entries.length === 0) return `${indent}{}`;
    return entries.map(([key, v]) => `${indent}${key}:${nested(v, indent)}`).join("\n");
  }
  return `${indent}${plain(value)}`;
}

function nested(v: unknown, indent: string): string {
  if (isPlain(v)) return ` ${plain(v)}`;
  if (Array.isArray(v) && v.every(isPlain)) return ` ${toYaml(v)}`;
  if (!Array.isArray(v) && Object.keys(v as object).length === 0) return " {}";
  return `\n${toYaml(v, `${indent}  `)}`;
}

const isPlain = (v: unknown): boolean => v === null || typeof v !== "object";

function plain(v: unknown): string {
  if (typeof v !== "string") return v === null ? "null" : String(v);
  return /^[A-Za-z_][\w./ -]*$/.test(v) && !/^(true|false|null|yes|no|on|off)$/i.test(v) ? v : JSON.stringify(v);
}
