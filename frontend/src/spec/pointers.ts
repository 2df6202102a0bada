/** What the service says is wrong, at its field. */
import type { Path } from "./draft";

export interface FieldError {
  pointer: string;
  message: string;
  hint?: string;
}

export const pointerOf = (path: Path): string =>
  path.map((key) => `/${String(key).replaceAll("~", "~0").replaceAll("/", "~1")}`).join("");

/** The id of a field's element. */
export const idOf = (pointer: string): string => `field:${pointer}`;

export const isWithin = (pointer: string, parent: string): boolean =>
  pointer === parent || pointer.startsWith(`${parent}/`);

/** A clone and a sweep name what they change by `a.b.c`, under a word of their own. */
export function plain<E extends FieldError>(error: E): E {
  const found = /^\/(overrides|matrix)\/([^/]+)(.*)$/.exec(error.pointer);
  if (found) return { ...error, pointer: `/${found[2]!.replaceAll(".", "/")}${found[3]}` };
  return { ...error, pointer: error.pointer.replace(/^\/spec(?=\/|$)/, "") };
}

export const textOf = ({ message, hint }: FieldError): string => [message, hint].filter(Boolean).join(" ");

/** "optimizer › betas › 1", or the spec as a whole. */
export const placeOf = (pointer: string): string =>
  pointer ? pointer.slice(1).replaceAll("_", " ").split("/").join(" › ") : "the spec";

/** From a pointer upwards to the nearest of it that is on the page. */
export function nearestField<T>(pointer: string, find: (id: string) => T | null): T | null {
  for (let left = pointer; left; left = left.slice(0, left.lastIndexOf("/"))) {
    const found = find(idOf(left));
    if (found) return found;
  }
  return null;
}
