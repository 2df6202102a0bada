/** One colour ramp: "mako", whose lightness rises evenly and which reads the same with any colour vision. */

const STOPS = [
  0x0b0405, 0x231526, 0x35264c, 0x403a75, 0x3d5296, 0x366da0, 0x3487a6, 0x35a1ab, 0x43bbad, 0x6cd3ad, 0xade3c0,
  0xdef5e5,
];

export type Rgb = [number, number, number];

function mako(t: number): Rgb {
  const x = Math.min(1, Math.max(0, t)) * (STOPS.length - 1);
  const i = Math.min(STOPS.length - 2, Math.floor(x));
  const [a, b, f] = [STOPS[i]!, STOPS[i + 1]!, x - i];
  const mix = (shift: number): number => {
    const [p, q] = [(a >> shift) & 255, (b >> shift) & 255];
    return Math.round(p + (q - p) * f);
  };
  return [mix(16), mix(8), mix(0)];
}

/** More is darker on light paper and lighter on a dark screen, so that "nothing" is always the background. */
export function rampColor(t: number, dark: boolean): Rgb {
  return dark ? mako(0.16 + 0.84 * t) : mako(1 - 0.92 * t);
}

/** Small shares matter (one guided sample in eight), so colour follows the square root of the share. */
export const shareToRamp = (share: number): number => Math.sqrt(Math.min(1, Math.max(0, share)));

/** A success rate of none is a colour of its own: it is not the same as no sample. */
export const rateToRamp = (rate: number): number => 0.14 + 0.86 * Math.min(1, Math.max(0, rate));

export const LEGEND_RATES = [0, 0.25, 0.5, 0.75, 1];
export const LEGEND_SHARES = [0.01, 0.05, 0.1, 0.25, 0.5, 1];

export const css = ([r, g, b]: Rgb): string => `rgb(${r}, ${g}, ${b})`;

/** Relative luminance by WCAG, used to test that the ramp is monotone. */
export function luminance([r, g, b]: Rgb): number {
  const linear = (c: number): number => (c <= 10.31475 ? c / 3294.6 : ((c / 255 + 0.055) / 1.055) ** 2.4);
  return 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
}
