/** How it is submitted: priority, and the button. */
import { count } from "../../format";
import { Errors } from "./FieldRow";
import { useErrors, useForm } from "./form";
import type { Kept } from "./useKept";

interface Props {
  kept: Kept;
  change: (part: Partial<Kept>) => void;
  runs: number;
  busy: boolean;
}

const PATH = ["priority"];

export function SendBox({ kept, change, runs, busy }: Props) {
  const { disabled, touch } = useForm();
  const wrong = useErrors(PATH, true).length > 0;
  return (
    <section class="card new-card send" aria-label="Submit">
      <div class="spec-field">
        <label for="field:/priority">priority</label>
        <input
          id="field:/priority"
          inputMode="numeric"
          autocomplete="off"
          value={kept.priority}
          disabled={disabled}
          aria-invalid={wrong ? "true" : undefined}
          aria-describedby={`field:/priority:about${wrong ? " field:/priority:error" : ""}`}
          onInput={(e) => change({ priority: e.currentTarget.value })}
          onBlur={() => touch(PATH)}
        />
        <p id="field:/priority:about" class="about">
          −100 to 100; higher is first.
        </p>
        <Errors path={PATH} />
      </div>
      <button type="submit" class="primary" disabled={disabled}>
        {busy ? "Submitting…" : runs > 1 ? `Submit ${count(runs)} runs` : "Submit"}
      </button>
    </section>
  );
}
