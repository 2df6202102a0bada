/** Text of a model as a person may safely look at it: nothing in it steers the screen, and nothing hides. */

const STEERING = /[\p{Cc}\p{Bidi_Control}\u200b\u2028\u2029\ufeff]/gu;

/** Control characters get a picture, marks that turn or hide text their number; tabs and newlines stay. */
export const plain = (text: string): string =>
  text.replace(STEERING, (char) => {
    const code = char.codePointAt(0)!;
    if (char === "\n" || char === "\t") return char;
    if (code < 0x20) return String.fromCodePoint(0x2400 + code);
    if (code === 0x7f) return "\u2421";
    return `⟨U+${code.toString(16).toUpperCase().padStart(4, "0")}⟩`;
  });

/** Blanks, tabs and newlines to be seen as well. */
export const marked = (text: string): string =>
  plain(text).replaceAll(" ", "·").replaceAll("\t", "→\t").replaceAll("\n", "↵\n");

/** On one line, for a name or the beginning of a text. */
export const oneLine = (text: string): string => plain(text.replace(/\s+/g, " ")).trim();
