/** What there is on the service to choose from, where a field is a place of it. */
import { count } from "../../format";
import type { Path } from "../../spec/draft";
import type { DatasetInfo, ModelInfo } from "../../types";
import type { Suggestion } from "./form";

interface Known {
  models: ModelInfo[];
  datasets: DatasetInfo[];
}

export function suggestions({ models, datasets }: Known): (path: Path) => Suggestion[] {
  const usable = models.filter((model) => !model.problem);
  return (path) => {
    const [holder, name] = path.slice(-2);
    if (name !== "path") return [];
    if (holder === "model")
      return usable.map((model) => ({
        value: model.name,
        label: [model.kind, model.architecture].filter(Boolean).join(" · "),
      }));
    return datasets
      .filter((one) => !one.problem)
      .map(({ name: value, format, problems }) => ({
        value,
        label: [format, problems && `${count(problems)} problems`].filter(Boolean).join(" · "),
      }));
  };
}
