/** A new run: from a recipe, a method, or another run; as a form of the spec that says at once what would come of it. */
import { useEffect } from "preact/hooks";
import { getRun, listMethods } from "../api/runs";
import { getSession } from "../api/session";
import { getSpecSchema, listDatasets, listModels, listRecipes } from "../api/specs";
import { Failure, Waiting } from "../components/parts";
import { type Loaded, useLoaded } from "../loaded";
import type { PageProps } from "../routes";
import type { DatasetInfo, MethodInfo, ModelInfo, RecipeInfo, RunDetail, SpecSchema } from "../types";
import { type Beginning, beginningOf } from "./new/beginning";
import { SpecForm } from "./new/SpecForm";
import { Start } from "./new/Start";
import "./New.css";

export interface Catalogue {
  schema: SpecSchema;
  recipes: RecipeInfo[];
  methods: MethodInfo[];
  models: ModelInfo[];
  datasets: DatasetInfo[];
  /** Whether the person may submit. */
  may: boolean;
  clone: RunDetail | null;
}

async function readAll(clone: string | null): Promise<Catalogue> {
  const [schema, recipes, methods, models, datasets, session, run] = await Promise.all([
    getSpecSchema(),
    listRecipes(),
    listMethods(),
    listModels(),
    listDatasets(),
    getSession(),
    clone ? getRun(clone) : null,
  ]);
  return {
    schema,
    recipes: recipes.data,
    methods: methods.data,
    models: models.data,
    datasets: datasets.data,
    may: session.scopes.includes("submit"),
    clone: run,
  };
}

export default function NewPage({ query }: PageProps) {
  const clone = query.get("clone");
  const [loaded, again] = useLoaded(() => readAll(clone), [clone]);
  useEffect(() => {
    document.title = "New run · TRAPO";
  }, []);
  if (loaded.state === "loading") return <Waiting label="Reading what runs can be made of" />;
  const begun = begin(loaded, query);
  const chosen = begun?.state === "ready" ? begun.value : null;
  return (
    <main id="main" class="new-page">
      {loaded.state === "error" && <Failure error={loaded.error} again={again} />}
      {begun?.state === "error" && (
        <p class="calm" role="status">
          {begun.error.message}
        </p>
      )}
      {loaded.state === "ready" && !loaded.value.may && (
        <p class="calm" role="status">
          You may look but not submit: your key has no scope “submit”. Ask for one that has.
        </p>
      )}
      {loaded.state === "ready" && !chosen && <Start catalogue={loaded.value} />}
      {loaded.state === "ready" && chosen && <SpecForm key={chosen.key} catalogue={loaded.value} beginning={chosen} />}
    </main>
  );
}

/** What the address asks to begin with; null if it asks for nothing. */
function begin(loaded: Loaded<Catalogue>, query: URLSearchParams): Loaded<Beginning> | null {
  if (loaded.state !== "ready") return null;
  try {
    const value = beginningOf(loaded.value, query);
    return value && { state: "ready", value };
  } catch (e) {
    return { state: "error", error: e as Error };
  }
}
