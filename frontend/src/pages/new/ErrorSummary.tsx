/** What keeps the form from being submitted, with the way to each field. The focus comes here. */
import { useEffect, useRef } from "preact/hooks";
import { type FieldError, nearestField, placeOf, textOf } from "../../spec/pointers";

export function ErrorSummary({ errors, message, tried }: { errors: FieldError[]; message: string; tried: number }) {
  const box = useRef<HTMLDivElement>(null);
  const there = errors.length > 0 || !!message;
  useEffect(() => {
    if (there) box.current?.focus();
  }, [tried, message]);
  if (!there) return null;
  return (
    <div class="card notice bad new-errors" role="alert" tabIndex={-1} ref={box}>
      <h2>{errors.length ? `${errors.length} to mend before this can be submitted` : "This was not submitted"}</h2>
      {errors.length === 0 && <p>{message}</p>}
      <ul>
        {errors.map((error) => (
          <li key={error.pointer + error.message}>
            <GoTo pointer={error.pointer} />: {textOf(error)}
          </li>
        ))}
      </ul>
    </div>
  );
}

export function GoTo({ pointer }: { pointer: string }) {
  return (
    <button type="button" class="link" onClick={() => goTo(pointer)}>
      {placeOf(pointer)}
    </button>
  );
}

/** Unfolds what hides the field, and puts the focus there. */
function goTo(pointer: string): void {
  const field = nearestField(pointer, (id) => document.getElementById(id));
  if (!field) return;
  for (let node: Element | null = field; node; node = node.parentElement)
    if (node instanceof HTMLDetailsElement) node.open = true;
  field.scrollIntoView({ block: "center" });
  field.focus({ preventScroll: true });
}
