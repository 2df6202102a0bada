/** One of several: which, and then its fields. */
import { at, isRecord, type Json } from "../../spec/draft";
import { idOf, pointerOf, textOf } from "../../spec/pointers";
import { beginning, type FieldOf, type Variant, variantOf } from "../../spec/schema";
import { FieldRow, Frame, type RowProps } from "./FieldRow";
import { useErrors, useForm } from "./form";

export function UnionRow(props: RowProps<FieldOf<"union">>) {
  const { field, path } = props;
  const form = useForm();
  const value = at(form.whole, path) ?? field.initial;
  const chosen = variantOf(field, value);
  const tagPath = field.tag ? [...path, field.tag] : path;
  const single = !!chosen && !["object", "constant"].includes(chosen.field.shape);
  const wrong = useErrors(tagPath, false);
  const id = field.tag ? idOf(pointerOf(tagPath)) : `${idOf(pointerOf(path))}:kind`;
  const choose = (name: string): void => {
    const variant = field.variants.find((one) => one.name === name);
    if (variant) form.put(path, begun(variant, field.tag, value));
  };
  return (
    <Frame {...props} outer={single}>
      <select
        id={id}
        class="spec-kind"
        aria-label={`${field.label}: ${field.tag ?? "kind"}`}
        aria-invalid={field.tag && wrong.length ? "true" : undefined}
        disabled={form.disabled}
        value={chosen?.name ?? ""}
        onChange={(e) => choose(e.currentTarget.value)}
      >
        {!chosen && <option value="">choose</option>}
        {field.variants.map(({ name }) => (
          <option key={name} value={name}>
            {name.replaceAll("_", " ")}
          </option>
        ))}
      </select>
      {field.tag && wrong.length > 0 && <p class="error">{wrong.map(textOf).join(" ")}</p>}
      {chosen && chosen.field.shape !== "constant" && (
        <>
          {!single && chosen.field.about && <p class="about">{chosen.field.about}</p>}
          <Inner variant={chosen} of={field} path={path} />
        </>
      )}
    </Frame>
  );
}

/** An object's fields stand here without a frame of their own. */
function Inner({ variant, of, path }: { variant: Variant; of: FieldOf<"union">; path: RowProps["path"] }) {
  const { field } = variant;
  // A single value is the union's own, and so is what holds if it is not given.
  if (field.shape !== "object")
    return <FieldRow field={{ ...field, label: of.label, initial: of.initial }} path={path} bare />;
  return (
    <div class="spec-fields">
      {field.fields
        .filter((part) => part.shape !== "constant")
        .map((part) => (
          <FieldRow key={part.name} field={part} path={[...path, part.name]} />
        ))}
    </div>
  );
}

/** What a variant begins with: of the value before, the parts that it knows too. */
function begun({ name, field }: Variant, tag: string | null, before: unknown): unknown {
  const first = beginning(field);
  if (field.shape !== "object") return first;
  const known = new Map(field.fields.map((part) => [part.name, part.shape]));
  const kept = Object.entries(isRecord(before) ? before : {}).filter(
    ([key, value]) => known.has(key) && known.get(key) !== "constant" && value !== null,
  );
  return { ...(tag ? { [tag]: name } : {}), ...(first as Json), ...Object.fromEntries(kept) };
}
