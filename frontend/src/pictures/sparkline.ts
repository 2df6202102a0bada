/** A line without axes: the shape of a run's reward in the width of a word. */
export function sparkPath(values: readonly (number | null)[], width: number, height: number, pad = 2): string {
  const finite = values.filter((v): v is number => v !== null && Number.isFinite(v));
  if (finite.length < 2) return "";
  // From zero, so that two rows of the table can be compared.
  const top = Math.max(1e-9, ...finite, finite.some((v) => v > 1) ? 0 : Math.min(1, Math.max(...finite) * 1.15));
  const bottom = Math.min(0, ...finite);
  const x = (i: number): number => pad + (i / (values.length - 1)) * (width - 2 * pad);
  const y = (v: number): number => height - pad - ((v - bottom) / (top - bottom)) * (height - 2 * pad);
  let path = "";
  let pen = false;
  values.forEach((v, i) => {
    if (v === null || !Number.isFinite(v)) {
      pen = false;
      return;
    }
    path += `${pen ? "L" : "M"}${x(i).toFixed(1)} ${y(v).toFixed(1)}`;
    pen = true;
  });
  return path;
}
