/** Gives a checkpoint a name under which other runs can begin with it. */
import { useEffect, useId, useRef, useState } from "preact/hooks";
import { wrongWithAlias } from "../aliases";
import { promote } from "../api/checkpoints";
import { ApiError } from "../api/http";
import { asError } from "../loaded";

/** The api says what is wrong with the whole, and more closely with the field. */
const sayError = (e: Error): string =>
  e instanceof ApiError ? [e.message, ...(e.errors ?? []).map((one) => one.message)].join(" ") : e.message;

export function Promote({ id, step, onDone }: { id: string; step: number; onDone: () => void }) {
  const [name, setName] = useState("");
  const [tried, setTried] = useState(false);
  const [busy, setBusy] = useState(false);
  const [refused, setRefused] = useState("");
  const input = useRef<HTMLInputElement>(null);
  const [field, said] = [useId(), useId()];
  useEffect(() => input.current!.focus(), []);
  const wrong = refused || (tried ? wrongWithAlias(name) : "");
  const submit = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault();
    setTried(true);
    if (wrongWithAlias(name)) return;
    setBusy(true);
    try {
      await promote(id, step, name);
      onDone();
    } catch (e) {
      setRefused(sayError(asError(e)));
      setBusy(false);
    }
  };
  return (
    <form class="promote" noValidate onSubmit={(event) => void submit(event)}>
      <label for={field}>Name of the model</label>
      <input
        ref={input}
        id={field}
        value={name}
        autoComplete="off"
        spellcheck={false}
        aria-invalid={wrong !== ""}
        aria-describedby={said}
        onInput={(event) => {
          setName(event.currentTarget.value);
          setRefused("");
        }}
      />
      <button type="submit" class="primary" disabled={busy}>
        Promote step {step}
      </button>
      <p id={said} class={wrong ? "error" : "muted"} role={wrong ? "alert" : undefined}>
        {wrong ||
          "Specs can then name it as their model. An alias of this name moves here; runs keep what they were given."}
      </p>
    </form>
  );
}
