/** A list of things with fields of their own, such as slots and benchmarks. */
import { at } from "../../spec/draft";
import { idOf, pointerOf } from "../../spec/pointers";
import { beginning, type FieldOf } from "../../spec/schema";
import { FieldRow, Frame, type RowProps } from "./FieldRow";
import { useForm } from "./form";

export function ListRow(props: RowProps<FieldOf<"list">>) {
  const { field, path } = props;
  const form = useForm();
  const found = at(form.whole, path);
  const items = Array.isArray(found) ? (found as unknown[]) : [];
  const one = field.label.replace(/s$/, "");
  const add = (): void => {
    const last = items.at(-1);
    // Another is most often like the one before.
    const next = last === undefined ? beginning(field.item) : structuredClone(last);
    form.put(path, [...items, next]);
    focusSoon(idOf(pointerOf([...path, items.length])));
  };
  const remove = (place: number): void => {
    form.put(
      path,
      items.filter((_, i) => i !== place),
    );
    focusSoon(`${idOf(pointerOf(path))}:add`);
  };
  return (
    <Frame {...props}>
      {items.length === 0 && <p class="muted">None.</p>}
      {items.map((_, i) => (
        <div key={i} class="spec-item">
          <div class="spec-item-head">
            <b>
              {one} {i + 1}
            </b>
            <button type="button" class="quiet" disabled={form.disabled} onClick={() => remove(i)}>
              remove<span class="unseen">{` ${one} ${i + 1}`}</span>
            </button>
          </div>
          <FieldRow field={{ ...field.item, label: `${one} ${i + 1}` }} path={[...path, i]} bare />
        </div>
      ))}
      <button type="button" id={`${idOf(pointerOf(path))}:add`} disabled={form.disabled} onClick={add}>
        Add {one}
      </button>
    </Frame>
  );
}

/** Once it is drawn. */
const focusSoon = (id: string): void => void setTimeout(() => document.getElementById(id)?.focus(), 50);
