/** Several runs at once: fields that take several values, and seeds. */
import { useState } from "preact/hooks";
import { count } from "../../format";
import { at, brief } from "../../spec/draft";
import { idOf } from "../../spec/pointers";
import type { Field } from "../../spec/schema";
import { type Axis, axisPointer, fieldAt, MOST_AXES, pathsOf, type Sweep, segments } from "../../spec/sweep";
import { Errors } from "./FieldRow";
import { useForm } from "./form";
import type { Kept } from "./useKept";

interface Props {
  kept: Kept;
  change: (part: Partial<Kept>) => void;
  sweep: Sweep;
  root: Field;
}

export function SweepPart({ kept, change, sweep, root }: Props) {
  const { errors, disabled, touch } = useForm();
  const [begun] = useState(kept.axes.length > 0 || kept.seeds !== "");
  const wrong = errors.filter(({ pointer }) => pointer === "/sweep" || pointer.startsWith("/sweep/")).length;
  const setAxes = (axes: Axis[]): void => change({ axes });
  const add = (): void => {
    setAxes([...kept.axes, { path: "", values: "" }]);
    focusSoon(idOf(axisPointer(kept.axes.length)));
  };
  const remove = (place: number): void => {
    setAxes(kept.axes.filter((_, i) => i !== place));
    focusSoon("sweep-add");
  };
  return (
    <details class="card new-group" open={begun}>
      <summary>
        <h2>Sweep</h2>
        {sweep.runs > 1 && <span class="tag">{count(sweep.runs)} runs</span>}
        {wrong > 0 && <span class="tag wrong">{wrong} wrong</span>}
      </summary>
      <div class="sweep">
        <p class="about">A run for every combination of values, and of these for every seed.</p>
        {kept.axes.map((axis, i) => (
          <AxisRow
            key={i}
            axis={axis}
            place={i}
            root={root}
            onChange={(next) => setAxes(kept.axes.map((one, k) => (k === i ? next : one)))}
            onRemove={() => remove(i)}
          />
        ))}
        <datalist id="sweep-paths">
          {pathsOf(root).map((path) => (
            <option key={path} value={path} />
          ))}
        </datalist>
        <button id="sweep-add" type="button" disabled={disabled || kept.axes.length >= MOST_AXES} onClick={add}>
          Add a field
        </button>
        <div class="spec-field sweep-seeds">
          <label for="field:/sweep/seeds">a run for each seed</label>
          <input
            id="field:/sweep/seeds"
            value={kept.seeds}
            disabled={disabled}
            placeholder="as above: one"
            autocomplete="off"
            {...described("/sweep/seeds", errors)}
            onInput={(e) => change({ seeds: e.currentTarget.value })}
            onBlur={() => touch(["sweep", "seeds"])}
          />
          <p id="field:/sweep/seeds:about" class="about">
            Such as 0-4, or 0, 1, 7.
          </p>
          <Errors path={["sweep", "seeds"]} />
        </div>
        <p id="field:/sweep" class="sweep-count" tabIndex={-1} role="status">
          {sayCount(sweep)}
        </p>
        <Errors path={["sweep"]} />
      </div>
    </details>
  );
}

interface RowProps {
  axis: Axis;
  place: number;
  root: Field;
  onChange: (axis: Axis) => void;
  onRemove: () => void;
}

function AxisRow({ axis, place, root, onChange, onRemove }: RowProps) {
  const { disabled, errors, touch, whole } = useForm();
  const pointer = axisPointer(place);
  const id = idOf(pointer);
  const path = axis.path.trim();
  const field = path ? fieldAt(root, path) : null;
  const shared = { disabled, autocomplete: "off", spellcheck: false, ...described(pointer, errors) };
  const leave = (): void => touch(["sweep", place + 1]);
  return (
    <fieldset class="sweep-axis">
      <legend class="unseen">Field {place + 1} of the sweep</legend>
      <div class="spec-field">
        <label for={id}>field</label>
        <input
          {...shared}
          id={id}
          list="sweep-paths"
          value={axis.path}
          placeholder="optimizer.lr"
          onInput={(e) => onChange({ ...axis, path: e.currentTarget.value })}
        />
      </div>
      <div class="spec-field">
        <label for={`${id}:values`}>values</label>
        <input
          {...shared}
          id={`${id}:values`}
          value={axis.values}
          placeholder="1e-5, 3e-5"
          onInput={(e) => onChange({ ...axis, values: e.currentTarget.value })}
          onBlur={leave}
        />
      </div>
      <button type="button" class="quiet" disabled={disabled} onClick={onRemove}>
        remove<span class="unseen"> field {place + 1} of the sweep</span>
      </button>
      <p id={`${id}:about`} class="about">
        {field ? aboutOf(field, at(whole, segments(path))) : "Parted by commas; a list in brackets."}
      </p>
      <Errors path={["sweep", place + 1]} />
    </fieldset>
  );
}

function aboutOf(field: Field, value: unknown): string {
  const wants =
    field.shape === "choice" ? `one of ${field.options.join(", ")}` : field.shape === "number" ? field.bounds : "";
  const now = value === undefined ? "" : `without the sweep ${brief(value)}`;
  return [field.about, [wants, now].filter(Boolean).join("; ")].filter(Boolean).join(" ");
}

function described(pointer: string, errors: readonly { pointer: string }[]) {
  const wrong = errors.some((e) => e.pointer === pointer);
  const about = `${idOf(pointer)}:about`;
  return {
    "aria-invalid": wrong ? ("true" as const) : undefined,
    "aria-describedby": wrong ? `${about} ${idOf(pointer)}:error` : about,
  };
}

/** "It makes 12 runs: 2 × 3 values, 2 seeds." */
function sayCount({ matrix, seeds, runs }: Sweep): string {
  const lengths = Object.values(matrix).map((values) => values.length);
  if (lengths.length === 0 && seeds.length === 0) return "Nothing here: one run.";
  const parts = [lengths.length && `${lengths.join(" × ")} values`, seeds.length && `${seeds.length} seeds`];
  return `It makes ${count(runs)} ${runs === 1 ? "run" : "runs"}: ${parts.filter(Boolean).join(", ")}.`;
}

/** Once it is drawn. */
const focusSoon = (id: string): void => void setTimeout(() => document.getElementById(id)?.focus(), 50);
