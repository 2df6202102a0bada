/** Which of several specs the form shows; all are submitted. */
import type { Json } from "../../spec/draft";

interface Props {
  specs: Json[];
  errors: number[];
  at: number;
  onChoose: (place: number) => void;
}

export function SpecTabs({ specs, errors, at, onChoose }: Props) {
  if (specs.length < 2) return null;
  return (
    <div class="spec-tabs" role="group" aria-label="Runs of this recipe">
      {specs.map((spec, i) => (
        <button key={i} type="button" aria-pressed={i === at} onClick={() => onChoose(i)}>
          {String(spec.name || spec.method || `run ${i + 1}`)}
          {errors[i]! > 0 && <span class="tag wrong">{errors[i]} wrong</span>}
        </button>
      ))}
      <span class="muted">All {specs.length} are submitted together.</span>
    </div>
  );
}
