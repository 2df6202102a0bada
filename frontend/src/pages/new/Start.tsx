/** What to begin with: a recipe, or a method with the recipes that use it. */
import { describe, type Recipe, sorted } from "../../spec/recipes";
import type { MethodInfo } from "../../types";
import type { Catalogue } from "../New";

const recipeLink = (name: string): string => `/new?recipe=${encodeURIComponent(name)}`;

export function Start({ catalogue: { recipes, methods } }: { catalogue: Catalogue }) {
  const { own, of } = sorted(
    recipes,
    methods.map((method) => method.name),
  );
  return (
    <>
      <h1>New run</h1>
      <p class="lead">
        Begin with a recipe, which is ready to submit, or with a method and your own model and data. Everything can be
        changed before it is submitted.
      </p>
      <section aria-labelledby="recipes">
        <h2 id="recipes">Recipes</h2>
        <ul class="starts">
          {own.map((recipe) => (
            <li key={recipe.name} class="card start">
              <a href={recipeLink(recipe.name)}>
                <b>{recipe.name}</b>
              </a>
              <p>{describe(recipe.specs)}</p>
            </li>
          ))}
          <li class="card start">
            <a href="/new?kind=eval">
              <b>evaluation</b>
            </a>
            <p>Scores a model on benchmarks; nothing is trained.</p>
          </li>
        </ul>
        {own.length === 0 && <p class="muted">The service has no recipes of its own.</p>}
      </section>
      <section aria-labelledby="methods">
        <h2 id="methods">Methods</h2>
        <ul class="starts">
          {methods.map((method) => (
            <MethodCard key={method.name} method={method} recipes={of.get(method.name) ?? []} />
          ))}
        </ul>
      </section>
    </>
  );
}

function MethodCard({ method, recipes }: { method: MethodInfo; recipes: Recipe[] }) {
  return (
    <li class="card start">
      <a href={`/new?method=${encodeURIComponent(method.name)}`}>
        <b>{method.name}</b>
      </a>
      <p>{method.summary}</p>
      <p class="start-links">
        <PaperLink paper={method.paper} />
        {recipes.map(({ name, specs }) => (
          <a key={name} href={recipeLink(name)} title={describe(specs)}>
            {name.split("/")[0]} recipe<span class="unseen"> of {method.name}</span>
          </a>
        ))}
      </p>
    </li>
  );
}

export function PaperLink({ paper }: { paper: string }) {
  if (!paper) return null;
  return (
    <a href={`https://arxiv.org/abs/${encodeURIComponent(paper)}`} target="_blank" rel="noreferrer">
      arXiv {paper}
    </a>
  );
}
