/** A small part of LaTeX as a tree of MathML: numbers, letters, fractions, powers, roots, words. What is beyond it stays
 *  text, whole formula by formula: half a formula would say something else. */

/** A MathML element by its name, with parts or words; `boxed` is a row in a frame. */
export interface MathNode {
  tag: "mrow" | "mi" | "mn" | "mo" | "mtext" | "mfrac" | "msqrt" | "mroot" | "msup" | "msub" | "msubsup" | "boxed";
  parts: MathNode[] | string;
}

/** Text as it stands, or a formula; `source` is what was written. */
export type Span = { text: string } | { math: MathNode; source: string; block: boolean };

const FORMULA = /\$\$([^$]{1,600})\$\$|\\\[([\s\S]{1,600}?)\\\]|\\\(([\s\S]{1,600}?)\\\)|\$([^$\n]{1,300})\$/g;

export function spansOf(text: string): Span[] {
  const spans: Span[] = [];
  let at = 0;
  for (const found of text.matchAll(FORMULA)) {
    const [source, dollars, brackets, parens, dollar] = found;
    const math = parseMath(dollars ?? brackets ?? parens ?? dollar ?? "");
    if (!math) continue;
    if (found.index > at) spans.push({ text: text.slice(at, found.index) });
    spans.push({ math, source, block: (dollars ?? brackets) !== undefined });
    at = found.index + source.length;
  }
  if (at < text.length) spans.push({ text: text.slice(at) });
  return spans;
}

const LETTERS = Object.fromEntries(
  (
    "alpha α beta β gamma γ delta δ epsilon ε varepsilon ε zeta ζ eta η theta θ lambda λ mu μ nu ν xi ξ pi π rho ρ " +
    "sigma σ tau τ phi φ varphi φ chi χ psi ψ omega ω Gamma Γ Delta Δ Theta Θ Lambda Λ Pi Π Sigma Σ Phi Φ Psi Ψ " +
    "Omega Ω infty ∞ ell ℓ emptyset ∅ sin sin cos cos tan tan log log ln ln exp exp max max min min gcd gcd"
  )
    .split(" ")
    .flatMap((word, i, all) => (i % 2 ? [] : [[word, all[i + 1]!]])),
);
const SIGNS = Object.fromEntries(
  (
    "cdot · times × div ÷ pm ± mp ∓ le ≤ leq ≤ ge ≥ geq ≥ ne ≠ neq ≠ approx ≈ equiv ≡ sim ∼ in ∈ notin ∉ subset ⊂ cup ∪ " +
    "cap ∩ to → rightarrow → Rightarrow ⇒ implies ⇒ iff ⇔ sum ∑ prod ∏ int ∫ ldots … dots … cdots ⋯ angle ∠ circ ∘ " +
    "mid | therefore ∴ { { } } % % , \u2009 ; \u2005 : \u2005 ! \u200b quad \u2003 left  right  displaystyle "
  )
    .split(" ")
    .flatMap((word, i, all) => (i % 2 ? [] : [[word, all[i + 1] ?? ""]])),
);
const WORDS = new Set(["text", "mathrm", "textbf", "mathbf", "operatorname", "mbox", "textit"]);
const TOKEN = /\s+|\\[a-zA-Z]+|\\.|\d+(?:\.\d+)?|[^\s]/gu;
const DEEPEST = 40;

class Beyond extends Error {}

export function parseMath(source: string): MathNode | null {
  const tokens: string[] = source.match(TOKEN) ?? [];
  let at = 0;
  const blank = (): void => {
    while (tokens[at]?.trim() === "") at += 1;
  };
  const row = (end: string | null, deep: number): MathNode => {
    const parts: MathNode[] = [];
    for (blank(); at < tokens.length && tokens[at] !== end; blank()) parts.push(scripted(deep));
    if (end !== null && tokens[at] !== end) throw new Beyond();
    if (end !== null) at += 1;
    return parts.length === 1 ? parts[0]! : { tag: "mrow", parts };
  };
  const scripted = (deep: number): MathNode => {
    const base = atom(deep);
    const scripts: { "^"?: MathNode; _?: MathNode } = {};
    for (blank(); tokens[at] === "^" || tokens[at] === "_"; blank()) {
      const which = tokens[at] as "^" | "_";
      if (scripts[which]) throw new Beyond();
      at += 1;
      scripts[which] = atom(deep + 1);
    }
    const { "^": up, _: down } = scripts;
    if (up && down) return { tag: "msubsup", parts: [base, down, up] };
    if (up) return { tag: "msup", parts: [base, up] };
    return down ? { tag: "msub", parts: [base, down] } : base;
  };
  const words = (): string => {
    blank();
    if (tokens[at] !== "{") throw new Beyond();
    const end = tokens.indexOf("}", at);
    const inside = tokens.slice(at + 1, end);
    if (end < 0 || inside.some((token) => /[\\{^_$]/.test(token))) throw new Beyond();
    at = end + 1;
    return inside.join("");
  };
  const atom = (deep: number): MathNode => {
    blank();
    const token = tokens[at];
    if (token === undefined || deep > DEEPEST || "}^_&#~$".includes(token)) throw new Beyond();
    at += 1;
    if (token === "{") return row("}", deep + 1);
    if (/^\d/.test(token)) return { tag: "mn", parts: token };
    if (/^\p{L}/u.test(token)) return { tag: "mi", parts: token };
    if (!token.startsWith("\\")) return { tag: "mo", parts: token };
    const name = token.slice(1);
    if (["frac", "dfrac", "tfrac"].includes(name)) return { tag: "mfrac", parts: [atom(deep + 1), atom(deep + 1)] };
    if (name === "boxed") return { tag: "boxed", parts: [atom(deep + 1)] };
    if (name === "sqrt") return root(deep + 1);
    if (WORDS.has(name)) return { tag: "mtext", parts: words() };
    if (Object.hasOwn(LETTERS, name)) return { tag: "mi", parts: LETTERS[name]! };
    if (Object.hasOwn(SIGNS, name)) return { tag: "mo", parts: SIGNS[name]! };
    throw new Beyond();
  };
  const root = (deep: number): MathNode => {
    blank();
    if (tokens[at] !== "[") return { tag: "msqrt", parts: [atom(deep)] };
    at += 1;
    const degree = row("]", deep);
    return { tag: "mroot", parts: [atom(deep), degree] };
  };
  try {
    return row(null, 0);
  } catch (e) {
    if (e instanceof Beyond) return null;
    throw e;
  }
}
