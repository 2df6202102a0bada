/** One field of the form, by its shape; objects, lists and unions hold fields of their own. */
import type { ComponentChildren } from "preact";
import { at, brief, type Path } from "../../spec/draft";
import { idOf, pointerOf, textOf } from "../../spec/pointers";
import type { Field, FieldOf } from "../../spec/schema";
import { Control, Presence } from "./Control";
import { useErrors, useForm, useOriginal } from "./form";
import { ListRow } from "./ListRow";
import { UnionRow } from "./UnionRow";

export interface RowProps<F extends Field = Field> {
  field: F;
  path: Path;
  /** Its name is said already by what it stands in. */
  bare?: boolean;
  /** A field of the same path stands within, and tells its errors. */
  outer?: boolean;
}

export function FieldRow(props: RowProps) {
  const { field } = props;
  switch (field.shape) {
    case "object":
      return <ObjectRow {...props} field={field} />;
    case "tuple":
      return <TupleRow {...props} field={field} />;
    case "list":
      return <ListRow {...props} field={field} />;
    case "union":
      return <UnionRow {...props} field={field} />;
    case "choices":
      return <ChoicesRow {...props} field={field} />;
    default:
      return <LeafRow {...props} />;
  }
}

function LeafRow({ field, path, bare }: RowProps) {
  const errors = useErrors(path, true);
  const id = idOf(pointerOf(path));
  const described = [`${id}:about`, errors.length ? `${id}:error` : ""].filter(Boolean).join(" ");
  const attributes = {
    "aria-describedby": described,
    "aria-invalid": errors.length ? "true" : undefined,
    "aria-required": field.required && field.initial === undefined ? "true" : undefined,
    "aria-label": bare ? field.label || field.shape : undefined,
  };
  const control = <Control field={field} path={path} attributes={attributes} />;
  return (
    <div class={`spec-field ${field.shape}`}>
      {!bare && (
        <label for={id}>
          {field.shape === "flag" && control}
          {field.label}
          {field.unit && <span class="muted"> {field.unit}</span>}
          {attributes["aria-required"] && <span class="muted"> required</span>}
        </label>
      )}
      {(bare || field.shape !== "flag") && control}
      <p id={`${id}:about`} class="about">
        {[field.about, field.shape === "number" ? field.bounds : ""].filter(Boolean).join(" ")}
        {field.shape === "words" && " Parted by commas."}
      </p>
      {!bare && <Original path={path} />}
      <Errors path={path} deep />
    </div>
  );
}

/** What the method, or the cloned run, has here, with the way back to it. */
export function Original({ path }: { path: Path }) {
  const original = useOriginal(path);
  const { put, origin, disabled } = useForm();
  if (!original) return null;
  return (
    <p class="differs">
      <b>changed</b> · {origin}: <code>{brief(original.value)}</code>
      <button type="button" class="quiet" disabled={disabled} onClick={() => put(path, undefined)}>
        take back<span class="unseen"> {path.join(" ")}</span>
      </button>
    </p>
  );
}

export function Errors({ path, deep = false }: { path: Path; deep?: boolean }) {
  const errors = useErrors(path, deep);
  if (errors.length === 0) return null;
  return (
    <p id={`${idOf(pointerOf(path))}:error`} class="error">
      {errors.map(textOf).join(" ")}
    </p>
  );
}

/** The frame of a field with fields of its own. */
export function Frame({ field, path, bare, outer, children }: RowProps & { children: ComponentChildren }) {
  const { whole } = useForm();
  const absent = field.nullable && (at(whole, path) ?? null) === null;
  return (
    <fieldset
      class={`spec-set${bare ? " bare" : ""}${outer || absent ? " slight" : ""}`}
      id={idOf(pointerOf(path)) + (outer ? ":set" : "")}
      tabIndex={-1}
    >
      <legend class={bare ? "unseen" : "legend"}>
        {field.nullable && <Presence field={field} path={path} />}
        {field.label}
        {field.required && field.initial === undefined && field.shape === "union" && (
          <span class="muted"> required</span>
        )}
      </legend>
      {field.about && !bare && <p class="about">{field.about}</p>}
      {absent ? null : children}
      <Original path={path} />
      {!outer && <Errors path={path} />}
    </fieldset>
  );
}

function ObjectRow(props: RowProps<FieldOf<"object">>) {
  return (
    <Frame {...props}>
      <div class="spec-fields">
        {props.field.fields
          .filter((part) => part.shape !== "constant")
          .map((part) => (
            <FieldRow key={part.name} field={part} path={[...props.path, part.name]} />
          ))}
      </div>
    </Frame>
  );
}

function TupleRow(props: RowProps<FieldOf<"tuple">>) {
  return (
    <Frame {...props}>
      <div class="spec-fields tuple">
        {props.field.items.map((item, i) => (
          <FieldRow
            key={i}
            field={{ ...item, label: `${props.field.label} ${i + 1}` }}
            path={[...props.path, i]}
            bare
          />
        ))}
      </div>
    </Frame>
  );
}

function ChoicesRow(props: RowProps<FieldOf<"choices">>) {
  const form = useForm();
  const chosen = (at(form.whole, props.path) ?? []) as string[];
  return (
    <Frame {...props}>
      {props.field.options.map((option) => (
        <label key={option} class="spec-check">
          <input
            type="checkbox"
            checked={chosen.includes(option)}
            disabled={form.disabled}
            onChange={(e) =>
              form.put(
                props.path,
                e.currentTarget.checked ? [...chosen, option] : chosen.filter((one) => one !== option),
              )
            }
          />
          {option}
        </label>
      ))}
    </Frame>
  );
}
