/** The control of a field that has one value. */

import { at, type Path } from "../../spec/draft";
import { idOf, pointerOf } from "../../spec/pointers";
import { beginning, type Field, type FieldOf } from "../../spec/schema";
import { useForm } from "./form";
import { readJson, readNumber, readWords, showJson, showPlain, showWords, Typed } from "./Typed";

interface Props {
  field: Field;
  path: Path;
  attributes: Record<string, unknown>;
}

export function Control({ field, path, attributes }: Props) {
  const form = useForm();
  const id = idOf(pointerOf(path));
  const value = at(form.whole, path) ?? field.initial;
  const empty = field.nullable ? null : undefined;
  const onValue = (next: unknown): void => {
    form.put(path, next);
    form.touch(path);
  };
  const onLeave = (): void => form.touch(path);
  const shared = { id, value, onValue, onLeave };
  const props = { ...attributes, disabled: form.disabled };
  switch (field.shape) {
    case "number":
      return (
        <Typed
          {...shared}
          show={showPlain}
          read={(text) => readNumber(text, empty)}
          attributes={{ ...props, inputMode: "decimal", placeholder: field.nullable ? "none" : "" }}
        />
      );
    case "words":
      return <Typed {...shared} show={showWords} read={(text) => readWords(text, field.numbers)} attributes={props} />;
    case "choice":
      return (
        <select {...props} id={id} value={showPlain(value)} onChange={(e) => onValue(e.currentTarget.value || null)}>
          {field.nullable && <option value="">none</option>}
          {value === undefined && <option value="">choose</option>}
          {field.options.map((option) => (
            <option key={option} value={option}>
              {option.replaceAll("_", " ")}
            </option>
          ))}
        </select>
      );
    case "flag":
      return (
        <input
          {...props}
          id={id}
          type="checkbox"
          checked={value === true}
          onChange={(e) => onValue(e.currentTarget.checked)}
        />
      );
    case "constant":
      return <code id={id}>{String(field.value)}</code>;
    case "text":
      return <Text field={field} path={path} props={props} shared={shared} />;
    default:
      return <Typed {...shared} tall show={showJson} read={readJson} attributes={props} />;
  }
}

interface TextProps {
  field: FieldOf<"text">;
  path: Path;
  props: Record<string, unknown>;
  shared: { id: string; value: unknown; onValue: (value: unknown) => void; onLeave: () => void };
}

function Text({ field, path, props, shared }: TextProps) {
  const offers = useForm().suggest(path);
  const list = offers.length ? `${shared.id}:offers` : undefined;
  // An empty text is said only where the spec knows one.
  const read = (text: string): unknown => text || (field.nullable ? null : field.initial === "" ? "" : undefined);
  return (
    <>
      <Typed {...shared} show={showPlain} read={read} attributes={{ ...props, list, maxLength: field.most }} />
      {list && (
        <datalist id={list}>
          {offers.map(({ value, label }) => (
            <option key={value} value={value}>
              {label}
            </option>
          ))}
        </datalist>
      )}
    </>
  );
}

/** Whether something that may be none is there. */
export function Presence({ field, path }: { field: Field; path: Path }) {
  const form = useForm();
  const there = at(form.whole, path) !== null && at(form.whole, path) !== undefined;
  const first = field.shape === "tuple" ? field.items.map((item) => beginning(item)) : beginning(field);
  return (
    <input
      type="checkbox"
      checked={there}
      disabled={form.disabled}
      aria-label={`Use ${field.label}`}
      onChange={(e) => form.put(path, e.currentTarget.checked ? first : null)}
    />
  );
}
