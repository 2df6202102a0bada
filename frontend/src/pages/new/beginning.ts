/** With what the form begins, by the words of the address: recipe, method, kind, or clone and from_checkpoint. */
import { runName } from "../../format";
import type { Json } from "../../spec/draft";
import type { MethodInfo, RecipeInfo, RunDetail } from "../../types";

export interface Beginning {
  /** Names the draft of it that is kept while the tab lives. */
  key: string;
  title: string;
  drafts: Json[];
  clone: { run: RunDetail; fromCheckpoint: number | null } | null;
}

interface Known {
  recipes: RecipeInfo[];
  methods: MethodInfo[];
  clone: RunDetail | null;
}

/** Null if nothing is asked for. Throws, in words, if what is asked for is not there. */
export function beginningOf({ recipes, methods, clone }: Known, query: URLSearchParams): Beginning | null {
  const recipe = query.get("recipe");
  const method = query.get("method");
  if (clone) return cloned(clone, query.get("from_checkpoint"));
  if (recipe !== null) {
    const found = recipes.find((one) => one.name === recipe);
    if (!found) throw new Error(`There is no recipe “${recipe}”. Choose one of these.`);
    const drafts = found.specs.map((spec) => ({ ...spec }));
    return { key: `recipe:${recipe}`, title: `New run · ${recipe}`, drafts, clone: null };
  }
  if (method !== null) {
    if (!methods.some((one) => one.name === method))
      throw new Error(`There is no method “${method}”. Choose one of these.`);
    return { key: `method:${method}`, title: `New run · ${method}`, drafts: [{ method }], clone: null };
  }
  if (query.get("kind") === "eval")
    return { key: "eval", title: "New evaluation", drafts: [{ kind: "eval" }], clone: null };
  return null;
}

function cloned(run: RunDetail, step: string | null): Beginning {
  if (run.kind === "import" && Object.keys(run.spec).length === 0)
    throw new Error("That run was imported without a spec, so it cannot be cloned. Begin with one of these.");
  const fromCheckpoint = step !== null && /^\d+$/.test(step) ? Number(step) : null;
  const key = `clone:${run.id}:${fromCheckpoint ?? ""}`;
  return { key, title: `Clone of ${runName(run)}`, drafts: [{}], clone: { run, fromCheckpoint } };
}
