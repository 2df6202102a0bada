/** Asks before something that cannot be taken back. It is open as long as it is drawn. */
import type { ComponentChildren } from "preact";
import { useEffect, useId, useRef } from "preact/hooks";

interface Props {
  title: string;
  yes: string;
  no: string;
  danger?: boolean;
  onYes?: () => void;
  onClose: () => void;
  children: ComponentChildren;
}

export function Confirm({ title, yes, no, danger = false, onYes, onClose, children }: Props) {
  const dialog = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => dialog.current?.showModal(), []);
  return (
    <dialog ref={dialog} aria-labelledby={id} onClose={onClose}>
      <h2 id={id}>{title}</h2>
      {children}
      <div class="dialog-buttons">
        <button type="button" onClick={onClose}>
          {no}
        </button>
        {onYes && (
          <button type="button" class={danger ? "danger solid" : "primary"} onClick={onYes}>
            {yes}
          </button>
        )}
      </div>
    </dialog>
  );
}
