/** What the run would do and take, by a dry run. */
import { type Checked, GPUS, type Gpu } from "../../api/specs";
import { bytes, compact, count, duration } from "../../format";
import type { Plan } from "../../types";
import { GoTo } from "./ErrorSummary";
import type { Checks } from "./useChecks";

interface Props {
  result: Checked | null;
  checks: Checks;
  gpu: Gpu | null;
  onGpu: (gpu: Gpu | null) => void;
  again: () => void;
  may: boolean;
  /** Of a sweep, whose first run is planned. */
  runs: number;
}

const NAMES: Record<Gpu, string> = { h100: "H100", a100: "A100", l40s: "L40S", rtx4090: "RTX 4090", cpu: "CPU" };

export function PlanCard({ result, checks, gpu, onGpu, again, may, runs }: Props) {
  return (
    <section class="card new-card" aria-labelledby="plan" aria-busy={checks.busy}>
      <div class="new-card-head">
        <h2 id="plan">Plan</h2>
        <span class="muted" role="status">
          {checks.error
            ? "not checked"
            : checks.busy
              ? "checking…"
              : result
                ? result.plan
                  ? "valid"
                  : "not valid yet"
                : ""}
        </span>
        <label class="plan-gpu">
          <span class="unseen">Estimated for</span>
          <select value={gpu ?? ""} onChange={(e) => onGpu((e.currentTarget.value || null) as Gpu | null)}>
            <option value="">{result?.plan ? `as asked (${NAMES[result.plan.estimate.device]})` : "as asked"}</option>
            {GPUS.map((name) => (
              <option key={name} value={name}>
                {NAMES[name]}
              </option>
            ))}
          </select>
        </label>
      </div>
      {!may && <p class="muted">A plan needs the scope “submit”.</p>}
      {checks.error && (
        <p class="error" role="status">
          {checks.error.message}{" "}
          <button type="button" class="quiet" onClick={again}>
            check again
          </button>
        </p>
      )}
      {result && !result.plan && (
        <p>
          To fill in or mend:{" "}
          {result.errors.map((error, i) => (
            <>
              {i > 0 && ", "}
              <GoTo pointer={error.pointer} />
            </>
          ))}
          .
        </p>
      )}
      {runs > 1 && <p class="muted">Of the first of {count(runs)} runs.</p>}
      {result?.plan && <Figures plan={result.plan} />}
    </section>
  );
}

function Figures({ plan }: { plan: Plan }) {
  const { memory, disk, time, parameters, notes, warnings } = plan.estimate;
  const over = memory?.available && memory.peak > memory.available;
  const rows: [string, string][] = [
    ["Steps", plan.total_steps ? count(plan.total_steps) : "none: an evaluation"],
    ["Samples each step", plan.samples_per_step ? count(plan.samples_per_step) : "–"],
    ["Sampled tokens", `≤ ${compact(plan.sampled_tokens_at_most)}`],
    ["Parameters", parameters ? compact(parameters) : "not known"],
    [
      "Memory at most",
      memory ? `${bytes(memory.peak)}${memory.available ? ` of ${bytes(memory.available)}` : ""}` : "–",
    ],
    ["Disk", disk ? bytes(disk.total) : "–"],
    ["Time", time ? `${duration(time.total.low)} – ${duration(time.total.high)}` : "–"],
  ];
  const said = [...new Set([...plan.warnings, ...warnings])];
  return (
    <>
      <dl class="plan">
        {rows.map(([name, value]) => (
          <div key={name} class={name.startsWith("Memory") && over ? "over" : ""}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      {said.length > 0 && (
        <ul class="plan-warnings" aria-label="Warnings">
          {said.map((text) => (
            <li key={text}>{text}</li>
          ))}
        </ul>
      )}
      {notes.length > 0 && (
        <details>
          <summary>What was assumed</summary>
          <ul>
            {notes.map((text) => (
              <li key={text}>{text}</li>
            ))}
          </ul>
        </details>
      )}
    </>
  );
}
