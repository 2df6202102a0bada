import { runName } from "../format";
import { setQuery } from "../router";
import { useStore } from "../store";
import type { Run } from "../types";

/** The other run is part of the URL, so that a comparison can be sent to somebody. */
export function CompareWith({ run, withId }: { run: Run; withId: string | null }) {
  const { rows } = useStore();
  const others = [...rows.values()].filter((r) => r.kind === "train" && r.id !== run.id && r.step > 0);
  if (others.length === 0) return null;
  const label = (r: Run): string => `${runName(r)}${r.method ? ` (${r.method})` : ""}`;
  return (
    <label class="compare">
      Compare with{" "}
      <select value={withId ?? ""} onChange={(e) => setQuery("with", e.currentTarget.value || null)}>
        <option value="">no other run</option>
        {others.map((r) => (
          <option key={r.id} value={r.id}>
            {label(r)}
          </option>
        ))}
      </select>
    </label>
  );
}
