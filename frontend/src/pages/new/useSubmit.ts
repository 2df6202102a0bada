/** Sends the orders of a form, each with its key: a double click, or once more after a break, makes no second run. */
import { useRef, useState } from "preact/hooks";
import { errorsOf, sendOrder } from "../../api/specs";
import { asError } from "../../loaded";
import { keysFor, newKey, type Order, textOf } from "../../spec/orders";
import type { FieldError } from "../../spec/pointers";

interface Sending {
  keys: Record<string, string>;
  keep: (keys: Record<string, string>) => void;
  onMade: (ids: string[]) => void;
  onErrors: (errors: FieldError[], place: number) => void;
}

export function useSubmit({ keys, keep, onMade, onErrors }: Sending) {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState("");
  const sending = useRef(false);
  const send = async (orders: Order[]): Promise<void> => {
    if (sending.current) return;
    sending.current = true;
    setBusy(true);
    setError("");
    const held = keysFor(orders, keys, newKey);
    keep(held);
    const ids: string[] = [];
    try {
      for (const [i, order] of orders.entries()) ids.push((await sendOrder(order, held[textOf(order, i)]!)).id);
      onMade(ids);
    } catch (e) {
      const errors = errorsOf(e);
      if (errors.length) onErrors(errors, ids.length);
      const made = ids.length ? ` ${ids.length} of ${orders.length} were submitted.` : "";
      setError(`${asError(e).message}${made} Submit again: what was made already is not made twice.`);
    }
    sending.current = false;
    setBusy(false);
  };
  return { busy, error, setError, send };
}
