/** What stands below the last group: that it is the last, that there is more, or why there is none. */
import { count } from "../../format";
import type { Found } from "../../groups";
import { Failure } from "../parts";
import { clearFilters } from "./Filters";
import { setStep } from "./StepChooser";

export function Ending({
  found,
  step,
  more,
  filtered,
}: {
  found: Found;
  step: number | null;
  more: () => void;
  filtered: boolean;
}) {
  const { groups, next, kept, busy, error } = found;
  if (error) return <Failure error={error} again={more} />;
  const looked = groups.length === 0 ? "Nothing found so far." : `${count(groups.length)} groups.`;
  return (
    <div class="ending" role="status">
      {busy && <p class="muted">{groups.length ? "Looking further…" : "Looking for rollouts…"}</p>}
      {!busy && next && (
        <p>
          {looked}{" "}
          <button type="button" onClick={more}>
            {filtered ? "search further" : "show more"}
          </button>
        </p>
      )}
      {!busy && !next && groups.length > 0 && <p class="muted">{count(groups.length)} groups, that is all.</p>}
      {!busy && !next && groups.length === 0 && kept && <Nothing kept={kept} step={step} filtered={filtered} />}
    </div>
  );
}

function Nothing({
  kept,
  step,
  filtered,
}: {
  kept: NonNullable<Found["kept"]>;
  step: number | null;
  filtered: boolean;
}) {
  if (kept.count === 0)
    return <p class="nothing">No rollouts are kept yet. They are written at the end of each training step.</p>;
  if (filtered)
    return (
      <p class="nothing">
        <span>
          No rollout fits this filter.{" "}
          <button type="button" onClick={clearFilters}>
            clear the filter
          </button>
        </span>
      </p>
    );
  return (
    <p class="nothing">
      <span>
        The rollouts of step {step} are not kept.{" "}
        {[kept.before, kept.after].map(
          (near) =>
            near !== null && (
              <button key={near} type="button" onClick={() => setStep(near)}>
                step {near}
              </button>
            ),
        )}
      </span>
    </p>
  );
}
