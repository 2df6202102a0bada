/** Another run to compare with, out of those of the list. */
import { useEffect } from "preact/hooks";
import { runName } from "../../format";
import { loadRuns } from "../../store/list";
import { useStore } from "../../store/state";
import type { Run } from "../../types";
import { MOST, setRuns } from "./view";

export function AddRun({ ids }: { ids: string[] }) {
  const { rows, list } = useStore();
  useEffect(() => {
    if (list.state !== "ready") void loadRuns(); // someone who came by a link has no list yet
  }, []);
  const others = [...rows.values()].filter((run) => !ids.includes(run.id) && !run.deleted_at);
  if (ids.length >= MOST) return <span class="muted">{MOST} runs are the most.</span>;
  if (others.length === 0) return null;
  const label = (run: Run): string => `${runName(run)}${run.method ? ` (${run.method})` : ""}`;
  return (
    <select
      class="add-run"
      aria-label="Add a run"
      value=""
      onChange={(e) => e.currentTarget.value && setRuns([...ids, e.currentTarget.value])}
    >
      <option value="">Add a run…</option>
      {others.map((run) => (
        <option key={run.id} value={run.id}>
          {label(run)}
        </option>
      ))}
    </select>
  );
}
