/** What a checkpoint may be called. */
const ALIAS = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/;

/** What is wrong with a name, in words; empty if nothing is. The api has the last word. */
export function wrongWithAlias(name: string): string {
  if (!name) return "A name is needed.";
  if (name.length > 64) return "A name has at most 64 characters.";
  if (!/^[A-Za-z0-9]/.test(name)) return "A name begins with a letter or a digit.";
  return ALIAS.test(name) ? "" : "A name is made of letters, digits and . _ - only.";
}
