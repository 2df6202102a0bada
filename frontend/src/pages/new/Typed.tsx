/** An input whose text is the person's own while they write, and the value's once they have left it. */
import { useEffect, useRef, useState } from "preact/hooks";
import { same } from "../../spec/draft";

interface Props {
  id: string;
  value: unknown;
  show: (value: unknown) => string;
  /** The value of a text. One that cannot be read stays a text, and the service says what is wrong with it. */
  read: (text: string) => unknown;
  onValue: (value: unknown) => void;
  onLeave?: () => void;
  tall?: boolean;
  attributes?: Record<string, unknown>;
}

export function Typed({ id, value, show, read, onValue, onLeave, tall = false, attributes = {} }: Props) {
  const [text, setText] = useState(show(value));
  const input = useRef<HTMLInputElement & HTMLTextAreaElement>(null);
  useEffect(() => {
    if (document.activeElement !== input.current && !same(read(text), value)) setText(show(value));
  }, [value]);
  const props = {
    id,
    ref: input,
    value: text,
    autocomplete: "off",
    spellcheck: false,
    ...attributes,
    onInput: (event: Event) => {
      const now = (event.currentTarget as HTMLInputElement).value;
      setText(now);
      onValue(read(now));
    },
    onBlur: () => {
      if (!same(read(text), value)) setText(show(value));
      onLeave?.();
    },
  };
  return tall ? <textarea {...props} rows={4} /> : <input {...props} />;
}

export const showPlain = (value: unknown): string =>
  value === undefined || value === null ? "" : typeof value === "object" ? JSON.stringify(value) : String(value);

export function readNumber(text: string, empty: unknown): unknown {
  const trimmed = text.trim();
  if (!trimmed) return empty;
  const number = Number(trimmed);
  return Number.isFinite(number) ? number : trimmed;
}

export const showWords = (value: unknown): string => (Array.isArray(value) ? value.join(", ") : showPlain(value));
export const readWords = (text: string, numbers: boolean): unknown[] =>
  text
    .split(/[\s,]+/)
    .filter(Boolean)
    .map((word) => (numbers ? readNumber(word, word) : word));

export const showJson = (value: unknown): string => (value === undefined ? "" : JSON.stringify(value, null, 2));
export function readJson(text: string): unknown {
  if (!text.trim()) return undefined;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}
