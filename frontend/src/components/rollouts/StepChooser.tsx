/** From step to step among those whose rollouts are kept; none chosen means all, newest first. */
import { useEffect, useState } from "preact/hooks";
import { count } from "../../format";
import { setQuery } from "../../router";
import type { Groups } from "../../types";

export const setStep = (step: number | null | undefined): void => setQuery("step", step ? String(step) : null);

export function StepChooser({ kept, step }: { kept: Groups["kept"]; step: number | null }) {
  const [text, setText] = useState("");
  useEffect(() => setText(step === null ? "" : String(step)), [step]);
  const last = kept.last ?? 0;
  const go = (to: string): void => setStep(Number.parseInt(to, 10) || null);
  return (
    <div class="steps" role="group" aria-label="Step">
      <button type="button" aria-pressed={step === null} onClick={() => setStep(null)}>
        all steps
      </button>
      <button
        type="button"
        aria-label="Earlier step"
        disabled={step !== null && kept.before === null}
        onClick={() => setStep(step === null ? kept.last : kept.before)}
      >
        ‹
      </button>
      <label>
        step
        <input
          type="number"
          min={kept.first ?? 1}
          max={last}
          placeholder="all"
          value={text}
          onInput={(event) => setText(event.currentTarget.value)}
          onChange={(event) => go(event.currentTarget.value)}
        />
      </label>
      <button
        type="button"
        aria-label="Later step"
        disabled={step === null || kept.after === null}
        onClick={() => setStep(kept.after)}
      >
        ›
      </button>
      <input
        type="range"
        aria-label="Step"
        min={kept.first ?? 1}
        max={last}
        value={step ?? last}
        onChange={(event) => go(event.currentTarget.value)}
      />
      <span class="muted">
        {count(kept.count)} {kept.count === 1 ? "step" : "steps"} kept, {count(kept.first ?? 0)}–{count(last)}
      </span>
    </div>
  );
}
