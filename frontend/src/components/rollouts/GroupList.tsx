/** Groups by problem and step, each with its samples in the order of their slots. */
import { useEffect, useRef, useState } from "preact/hooks";
import { count } from "../../format";
import { groupFacts, slotsOf, slotWords } from "../../pictures/groups";
import { oneLine } from "../../pictures/plain";
import { setQuery } from "../../router";
import type { Group } from "../../types";
import { SampleMark } from "./SampleMark";

interface Props {
  groups: readonly Group[];
  /** Of one problem: rows are named by their steps. */
  oneProblem: boolean;
  panes: readonly (string | null)[];
  onOpen: (rollout: string) => void;
}

/** One tab stop: arrow keys go from sample to sample and from group to group. */
export function GroupList({ groups, oneProblem, panes, onOpen }: Props) {
  const list = useRef<HTMLOListElement>(null);
  const [stop, setStop] = useState<string | null>(null);
  const ids = groups.flatMap((group) => group.samples.map((sample) => sample.id));
  const stays = [stop, panes[0]].find((id) => id && ids.includes(id)) ?? ids[0];
  const shown = ids.includes(panes[0] ?? "");
  useEffect(() => {
    // Beside an open rollout the list scrolls by itself; on a phone it stands above and stays where it is.
    if (shown && innerWidth > 900) list.current!.querySelector(".mark.open")?.scrollIntoView({ block: "nearest" });
  }, [shown]);
  const press = (event: KeyboardEvent): void => {
    const to = neighbour(list.current!, event);
    if (!to) return;
    event.preventDefault();
    to.focus();
  };
  const focused = (event: FocusEvent): void => {
    const id = (event.target as HTMLElement).dataset.rollout;
    if (id) setStop(id);
  };
  return (
    <ol class="groups" ref={list} onKeyDown={press} onFocusIn={focused}>
      {groups.map((group, i) => (
        <li key={group.id} class="group">
          {!oneProblem && group.step !== groups[i - 1]?.step && <h3>Step {count(group.step)}</h3>}
          <Named group={group} byStep={oneProblem} />
          <div class="marks" role="group" aria-label={`Samples of ${oneLine(group.problem)} in step ${group.step}`}>
            {slotsOf(group).map((slot) => (
              <span key={slot.slot} class="slot" role="group" aria-label={slotWords(slot)} title={slotWords(slot)}>
                {slot.samples.map((sample) => (
                  <SampleMark
                    key={sample.id}
                    sample={sample}
                    pane={sample.id === panes[0] ? "A" : sample.id === panes[1] ? "B" : null}
                    tabIndex={sample.id === stays ? 0 : -1}
                    onOpen={() => onOpen(sample.id)}
                  />
                ))}
              </span>
            ))}
          </div>
          <Facts group={group} />
        </li>
      ))}
    </ol>
  );
}

function Named({ group, byStep }: { group: Group; byStep: boolean }) {
  if (byStep) return <h3 class="named">Step {count(group.step)}</h3>;
  const follow = (): void => {
    setQuery("step", null);
    setQuery("problem", group.problem);
  };
  return (
    <div class="named">
      <button type="button" class="quiet follow" onClick={follow} title="Follow this problem through all steps">
        <bdi>{oneLine(group.problem)}</bdi>
      </button>
      <p class="muted">
        <bdi>{oneLine(group.prompt)}</bdi>
      </p>
    </div>
  );
}

function Facts({ group }: { group: Group }) {
  const { right, reward, advantage } = groupFacts(group);
  return (
    <p class="group-facts">
      <b>{right}</b>
      <span>reward {reward}</span>
      <span>advantage {advantage}</span>
    </p>
  );
}

function neighbour(list: HTMLElement, event: KeyboardEvent): HTMLElement | undefined {
  const here = (event.target as HTMLElement).closest<HTMLElement>(".mark");
  if (!here || event.ctrlKey || event.metaKey || event.altKey) return undefined;
  const all = [...list.querySelectorAll<HTMLElement>(".mark")];
  const at = all.indexOf(here);
  if (event.key === "ArrowRight") return all[at + 1];
  if (event.key === "ArrowLeft") return all[at - 1];
  if (event.key === "Home") return all[0];
  if (event.key === "End") return all.at(-1);
  if (event.key !== "ArrowUp" && event.key !== "ArrowDown") return undefined;
  const row = here.closest(".group")!;
  const place = [...row.querySelectorAll(".mark")].indexOf(here);
  const other = event.key === "ArrowDown" ? row.nextElementSibling : row.previousElementSibling;
  const marks = other ? [...other.querySelectorAll<HTMLElement>(".mark")] : [];
  return marks[Math.min(place, marks.length - 1)];
}
