/** Another run to compare with, found by its name. */
import { useEffect, useState } from "preact/hooks";
import { listRuns } from "../../api/runs";
import { runName } from "../../format";
import { NEWEST } from "../../store/state";
import type { Run } from "../../types";
import { MOST, setRuns } from "./view";

const [OFFERED, PAUSE_MS] = [20, 200];

/** The browser offers what is found; who takes an offer has the id of a run in the field. */
export function AddRun({ ids }: { ids: string[] }) {
  const [name, setName] = useState<string | null>(null); // null: nobody has looked into it yet
  const [found, setFound] = useState<Run[]>([]);
  useEffect(() => {
    if (name === null) return;
    let current = true;
    const filter = { state: [], tag: [], ...(name && { name }) };
    const timer = setTimeout(() => {
      listRuns({ filter, sort: NEWEST }, null, OFFERED).then(
        ({ data }) => current && setFound(data),
        () => {}, // what was found before stays; the connection chip says that we are offline
      );
    }, PAUSE_MS);
    return () => {
      current = false;
      clearTimeout(timer);
    };
  }, [name]);
  if (ids.length >= MOST) return <span class="muted">{MOST} runs are the most.</span>;
  const type = (field: HTMLInputElement): void => {
    const text = field.value.trim();
    const chosen = found.some((run) => run.id === text);
    setName(chosen ? "" : text);
    if (!chosen) return;
    field.value = "";
    if (!ids.includes(text)) setRuns([...ids, text]);
  };
  return (
    <>
      <input
        type="search"
        class="add-run"
        list="other-runs"
        aria-label="Add a run"
        placeholder="Add a run by its name"
        maxLength={200}
        onFocus={() => setName(name ?? "")}
        onInput={(e) => type(e.currentTarget)}
      />
      <datalist id="other-runs">
        {found
          .filter((run) => !ids.includes(run.id))
          .map((run) => (
            <option key={run.id} value={run.id}>
              {runName(run)}
              {run.method && ` (${run.method})`}
            </option>
          ))}
      </datalist>
    </>
  );
}
