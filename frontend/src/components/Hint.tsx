/** A few words, and more of them while one points at them or has them in focus. */
import { useId, useState } from "preact/hooks";
import "./Hint.css";

export function Hint({ text, more }: { text: string; more: string }) {
  const [open, setOpen] = useState(false);
  const id = useId();
  if (!more) return <span class="reason">{text}</span>;
  return (
    <span role="group" class="hinted" onMouseEnter={() => setOpen(true)} onMouseLeave={() => setOpen(false)}>
      <button
        type="button"
        class="reason more"
        aria-describedby={open ? id : undefined}
        onFocus={() => setOpen(true)}
        onBlur={() => setOpen(false)}
        onClick={() => setOpen(true)}
        onKeyDown={(event) => {
          if (event.key !== "Escape" || !open) return;
          event.stopPropagation();
          setOpen(false);
        }}
      >
        {text}
      </button>
      {open && (
        <span id={id} role="tooltip" class="card tip">
          {more}
        </span>
      )}
    </span>
  );
}
