/** Light or dark: as the system says, unless the person chose. */
type Theme = "light" | "dark";

const KEY = "trapo-theme";
const system = matchMedia("(prefers-color-scheme: dark)");
const listeners = new Set<() => void>();

export const theme = (): Theme => chosen() ?? (system.matches ? "dark" : "light");

function chosen(): Theme | null {
  const value = localStorage.getItem(KEY);
  return value === "light" || value === "dark" ? value : null;
}

function show(): void {
  document.documentElement.dataset.theme = theme();
  for (const listener of listeners) listener();
}

export function toggleTheme(): void {
  const next: Theme = theme() === "dark" ? "light" : "dark";
  // Back to what the system says is back to following it.
  if (next === (system.matches ? "dark" : "light")) localStorage.removeItem(KEY);
  else localStorage.setItem(KEY, next);
  show();
}

/** Canvas does not follow CSS; pictures ask to be told. */
export function onTheme(listener: () => void): () => void {
  listeners.add(listener);
  return () => void listeners.delete(listener);
}

export function startTheme(): void {
  system.addEventListener("change", show);
  show();
}

/** The value of a CSS variable now, for canvas. */
export const cssVar = (name: string): string =>
  getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

export const FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif';
