/** What the model wrote: groups by problem and step, one rollout token by token, or two side by side. */
import { useState } from "preact/hooks";
import { save } from "../../components/Figure";
import { Defined } from "../../components/Meanings";
import { Ending } from "../../components/rollouts/Ending";
import { Filters } from "../../components/rollouts/Filters";
import { GroupList } from "../../components/rollouts/GroupList";
import { Panes } from "../../components/rollouts/Panes";
import { MarkLegend } from "../../components/rollouts/SampleMark";
import { StepChooser } from "../../components/rollouts/StepChooser";
import { useGroups } from "../../groups";
import { OF_ROLLOUTS } from "../../meanings";
import { askedOf, groupsTable, isFiltered } from "../../pictures/groups";
import { oneLine } from "../../pictures/plain";
import { toCsv } from "../../pictures/table";
import { setQuery } from "../../router";
import type { RunPartProps } from "../Run";
import "./Rollouts.css";

export default function Rollouts({ data, query }: RunPartProps) {
  const { id, step: newest } = data.detail;
  const [again, setAgain] = useState(0);
  const asked = askedOf(query);
  const [found, more] = useGroups(id, asked, again);
  const [first, second] = [query.get("rollout"), query.get("beside")];
  const picking = second === "";
  const open = (rollout: string): void => {
    setQuery(picking && rollout !== first ? "beside" : "rollout", rollout);
  };
  const step = asked.step ? Number(asked.step) : null;
  const late = found.kept && !found.busy && step === null && newest > (found.kept.last ?? 0);
  const { kept } = found;
  return (
    <div class={`rollouts ${first ? "opened" : ""} ${first && second ? "two" : ""}`}>
      <section class="card group-card" aria-labelledby="groups">
        <header class="figure-head">
          <h2 id="groups">{asked.problem ? <bdi>Problem {oneLine(asked.problem)} through steps</bdi> : "Groups"}</h2>
          <div class="tools">
            {late && (
              <button type="button" class="quiet" onClick={() => setAgain(again + 1)}>
                show newer steps
              </button>
            )}
            <button
              type="button"
              class="quiet"
              disabled={found.groups.length === 0}
              onClick={() => save(new Blob([toCsv(groupsTable(found.groups))], { type: "text/csv" }), "groups.csv")}
            >
              CSV
            </button>
          </div>
        </header>
        {!kept && found.busy && <div class="steps to-come" />}
        {kept && kept.count > 0 && <StepChooser kept={kept} step={step} />}
        {(!kept || kept.count > 0 || isFiltered(asked)) && <Filters query={query} />}
        {found.groups.length > 0 && <MarkLegend />}
        <details class="about">
          <summary>What is this?</summary>
          <Defined names={OF_ROLLOUTS} />
        </details>
        <GroupList groups={found.groups} oneProblem={!!asked.problem} panes={[first, second]} onOpen={open} />
        <Ending
          key={kept ? "end" : "start"}
          found={found}
          step={step}
          more={more}
          filtered={isFiltered(asked) || !!asked.problem}
        />
      </section>
      {first && <Panes runId={id} query={query} first={first} second={second} />}
    </div>
  );
}
