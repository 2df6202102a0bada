/** What there is to begin with, in few words. */
import { brief, isRecord, type Json } from "./draft";

export interface Recipe {
  name: string;
  specs: Json[];
}

/** "2 runs: trapo, grpo · small world · 100 steps". */
export function describe(specs: Json[]): string {
  const distinct = (values: unknown[]): string =>
    [...new Set(values.filter((value) => value !== undefined).map((value) => brief(value, 40)))].join(", ");
  const what = distinct(specs.map((spec) => (spec.kind === "eval" ? "evaluation" : (spec.method ?? "trapo"))));
  const steps = distinct(specs.map((spec) => spec.steps));
  const parts = [
    specs.length > 1 ? `${specs.length} runs: ${what}` : what,
    distinct(specs.map((spec) => modelName(spec.model))),
    steps && `${steps} steps`,
  ];
  return parts.filter(Boolean).join(" · ");
}

export function modelName(model: unknown): string {
  if (!isRecord(model)) return "";
  return String(model.id ?? model.path ?? String(model.source ?? "").replaceAll("_", " "));
}

/** Recipes of one method stand with it; the others for themselves. */
export function sorted(recipes: Recipe[], methods: readonly string[]): { own: Recipe[]; of: Map<string, Recipe[]> } {
  const own: Recipe[] = [];
  const of = new Map<string, Recipe[]>();
  for (const recipe of recipes) {
    const [folder, name] = recipe.name.split("/");
    if (folder && name && methods.includes(name)) of.set(name, [...(of.get(name) ?? []), recipe]);
    else own.push(recipe);
  }
  return { own, of };
}
