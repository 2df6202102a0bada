/** Numbers and times in words, one way for the whole dashboard. */

export const DASH = "–";

/** JSON has no NaN: the api sends "NaN", "Infinity" and "-Infinity" as strings. */
export function num(value: unknown): number {
  if (typeof value === "number") return value;
  if (value === "NaN" || value === "Infinity" || value === "-Infinity") return Number(value);
  return Number.NaN;
}

export function percent(share: number | null | undefined, digits = 1): string {
  if (share === null || share === undefined) return DASH;
  if (!Number.isFinite(share)) return String(share);
  return `${(share * 100).toFixed(digits)} %`;
}

export function decimal(value: number | null | undefined, digits = 3): string {
  if (value === null || value === undefined) return DASH;
  return Number.isFinite(value) ? value.toFixed(digits) : String(value);
}

const GROUPED = new Intl.NumberFormat("en-GB");
export const count = (value: number): string => GROUPED.format(value);

const COMPACT = new Intl.NumberFormat("en-GB", { notation: "compact", maximumFractionDigits: 1 });
const SMALL = new Intl.NumberFormat("en-GB", { maximumSignificantDigits: 3 });

/** Few characters for any size: 0.00012, 3.4, 12.5K, 1.2M. */
export function compact(value: number | null | undefined): string {
  if (value === null || value === undefined) return DASH;
  if (!Number.isFinite(value)) return String(value);
  const size = Math.abs(value);
  if (size !== 0 && size < 1e-4) return value.toExponential(1);
  return size < 1000 ? SMALL.format(value) : COMPACT.format(value);
}

const pair = (n: number, of: number, big: string, small: string): string =>
  `${Math.floor(n / of)} ${big}${n % of ? ` ${n % of} ${small}` : ""}`;

/** Two units at most: nobody plans by the seconds of a three-hour run. */
export function duration(seconds: number | null | undefined): string {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return DASH;
  const s = Math.max(0, Math.round(seconds));
  if (s < 60) return `${s} s`;
  if (s < 600) return pair(s, 60, "min", "s");
  // Rounded before it is split: 59.9 minutes are an hour, not "60 min".
  const m = Math.round(s / 60);
  if (m < 60) return `${m} min`;
  return m < 1440 ? pair(m, 60, "h", "min") : pair(Math.round(m / 60), 24, "d", "h");
}

export function ago(iso: string, now = Date.now()): string {
  const s = (now - Date.parse(iso)) / 1000;
  if (s < 45) return "just now";
  const [m, h] = [Math.round(s / 60), Math.round(s / 3600)];
  if (m < 60) return `${m} min ago`;
  return h < 24 ? `${h} h ago` : `${Math.round(s / 86_400)} d ago`;
}

/** In the reader's zone, which the long form names. */
export function clock(iso: string, timeStyle: "medium" | "long" = "medium"): string {
  return new Date(iso).toLocaleString("en-GB", { dateStyle: "medium", timeStyle });
}

/** What an input of a time holds: the reader's own clock, without a zone. Links hold the time itself. */
export function localTime(iso: string | null): string {
  const at = new Date(iso ?? "");
  return Number.isNaN(+at) ? "" : new Date(+at - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

export function bytes(n: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let i = 0;
  let x = n;
  while (x >= 1000 && i < units.length - 1) {
    x /= 1000;
    i += 1;
  }
  return `${i === 0 || x >= 100 ? Math.round(x) : x.toFixed(1)} ${units[i]}`;
}

/** "user_cancelled" is a code; people read "user cancelled". */
export const words = (code: string): string => code.replaceAll("_", " ");

/** How a prefix level is called: the ratio is a share of the expert trace. */
export const levelName = (ratio: number): string =>
  ratio === 0 ? "no prefix" : ratio === 1 ? "whole trace" : `${Number((ratio * 100).toFixed(1))} % of trace`;

/** A run without a name is known by the end of its id. */
export const runName = (run: { name: string; id: string }): string => run.name || run.id;
