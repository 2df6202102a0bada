/** The fields: those that matter first, and the others in groups that are folded. */
import { changesOf } from "../../spec/draft";
import { type Group, groupsOf } from "../../spec/groups";
import { isWithin, pointerOf } from "../../spec/pointers";
import type { FieldOf } from "../../spec/schema";
import type { MethodInfo } from "../../types";
import { FieldRow } from "./FieldRow";
import { useForm } from "./form";
import { PaperLink } from "./Start";

interface Props {
  root: FieldOf<"object">;
  methods: MethodInfo[];
  /** A clone keeps its method: the stored spec has its values filled in. */
  fixed: boolean;
}

export function Fields({ root, methods, fixed }: Props) {
  const { first, groups } = groupsOf(root);
  const trains = root.fields.some((field) => field.name === "method");
  return (
    <>
      <section class="card new-first" aria-label="What matters first">
        {trains && <MethodRow methods={methods} fixed={fixed} />}
        <div class="spec-fields">
          {first.map(({ path, field }) => (
            <FieldRow key={path.join(".")} path={path} field={field} />
          ))}
        </div>
      </section>
      {groups.map((group) => (
        <Folded key={group.title} group={group} />
      ))}
    </>
  );
}

function MethodRow({ methods, fixed }: { methods: MethodInfo[]; fixed: boolean }) {
  const { whole, put, disabled } = useForm();
  const name = String(whole.method ?? "trapo");
  const method = methods.find((one) => one.name === name);
  return (
    <div class="spec-field new-method">
      <label for="field:/method">method</label>
      <select
        id="field:/method"
        value={name}
        disabled={disabled || fixed}
        aria-describedby="field:/method:about"
        onChange={(e) => put(["method"], e.currentTarget.value)}
      >
        {methods.map((one) => (
          <option key={one.name} value={one.name}>
            {one.name}
          </option>
        ))}
        {!method && <option value={name}>{name}</option>}
      </select>
      <p id="field:/method:about" class="about">
        {method?.summary} {method && <PaperLink paper={method.paper} />}{" "}
        {fixed && "A clone keeps its method: all its values are in the spec already."}
      </p>
    </div>
  );
}

function Folded({ group: { title, fields } }: { group: Group }) {
  const { draft, base, errors } = useForm();
  const names = fields.map(({ path }) => path[0]!);
  const changed = changesOf(base, draft).filter(({ path }) => names.includes(path[0]!) && !isBenchmarks(path)).length;
  const wrong = errors.filter((e) => names.some((name) => isWithin(e.pointer, pointerOf([name])))).length;
  const only = fields.length === 1;
  return (
    <details class="card new-group">
      <summary>
        <h2>{title}</h2>
        {changed > 0 && <span class="tag">{changed} changed</span>}
        {wrong > 0 && <span class="tag wrong">{wrong} wrong</span>}
      </summary>
      <div class="spec-fields">
        {fields.map(({ path, field }) => (
          <FieldRow key={path.join(".")} path={path} field={field} bare={only} />
        ))}
      </div>
    </details>
  );
}

/** Those stand above, among the first. */
const isBenchmarks = (path: string[]): boolean => path[0] === "evaluation" && path[1] === "benchmarks";
