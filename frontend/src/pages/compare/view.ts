/** What the URL says of a comparison, and how it is changed. */
import type { Band } from "../../pictures/overlay";
import { navigate, setQuery } from "../../router";

export const MOST = 20;
const USUAL = ["reward/unguided", "guided/share", "completion/tokens_mean", "policy/entropy"];

export interface CompareChoice {
  ids: string[];
  /** Runs whose lines are not drawn. */
  hidden: string[];
  /** Series, each a picture. */
  keys: string[];
  /** Seeds as single runs. */
  apart: boolean;
  band: Band;
  baseline: string | null;
}

const list = (text: string | null): string[] => (text ? [...new Set(text.split(",").filter(Boolean))] : []);

export const compareChoice = (query: URLSearchParams): CompareChoice => ({
  ids: [...new Set(query.getAll("run"))].slice(0, MOST),
  hidden: list(query.get("hide")),
  keys: query.has("show") ? list(query.get("show")) : USUAL,
  apart: query.get("seeds") === "each",
  band: query.get("band") === "sd" ? "sd" : "range",
  baseline: query.get("baseline"),
});

export const setHidden = (ids: readonly string[]): void => setQuery("hide", ids.join(",") || null);
export const setKeys = (keys: readonly string[]): void =>
  setQuery("show", keys.join() === USUAL.join() ? null : keys.join(","));

export function setRuns(ids: readonly string[]): void {
  const query = new URLSearchParams(location.search);
  query.delete("run");
  for (const id of ids) query.append("run", id);
  navigate(`/compare?${query}`, true);
}
