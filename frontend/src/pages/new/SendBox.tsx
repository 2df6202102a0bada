/** How it is submitted: priority, seeds, and the button. */
import type { Kept } from "./useKept";

interface Props {
  kept: Kept;
  change: (part: Partial<Kept>) => void;
  runs: number;
  /** Whether several seeds can be asked for. */
  sweep: boolean;
  disabled: boolean;
  busy: boolean;
}

export function SendBox({ kept, change, runs, sweep, disabled, busy }: Props) {
  return (
    <section class="card new-card send" aria-label="Submit">
      <div class="spec-fields">
        <div class="spec-field">
          <label for="priority">priority</label>
          <input
            id="priority"
            inputMode="numeric"
            value={kept.priority}
            disabled={disabled}
            aria-describedby="priority:about"
            onInput={(e) => change({ priority: e.currentTarget.value })}
          />
          <p id="priority:about" class="about">
            −100 to 100; higher is first.
          </p>
        </div>
        {sweep && runs === 1 && (
          <div class="spec-field">
            <label for="seeds">a run for each seed</label>
            <input
              id="seeds"
              value={kept.seeds}
              disabled={disabled}
              placeholder="one run"
              aria-describedby="seeds:about"
              onInput={(e) => change({ seeds: e.currentTarget.value })}
            />
            <p id="seeds:about" class="about">
              Such as 0-4: a sweep.
            </p>
          </div>
        )}
      </div>
      <button type="submit" class="primary" disabled={disabled}>
        {busy ? "Submitting…" : runs > 1 ? `Submit ${runs} runs` : "Submit"}
      </button>
    </section>
  );
}
