interface Props {
  text: ComponentChildren;
  more: string;
  /** For a button that does something: its class, and what it does. */
  as?: string;
  onPress?: () => void;
}

/** A few words, and more of them while one points at them or has them in focus. */
import type { ComponentChildren } from "preact";
import { useId, useState } from "preact/hooks";
import "./Hint.css";

export function Hint({ text, more, as = "reason more", onPress }: Props) {
  const [open, setOpen] = useState(false);
  const id = useId();
  if (!more && !onPress) return <span class="reason">{text}</span>;
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: a group would hide the words from the name of a column; the button has the focus
    <span class="hinted" onMouseEnter={() => setOpen(true)} onMouseLeave={() => setOpen(false)}>
      <button
        type="button"
        class={as}
        aria-describedby={open && more ? id : undefined}
        onFocus={() => setOpen(true)}
        onBlur={() => setOpen(false)}
        onClick={() => {
          setOpen(true);
          onPress?.();
        }}
        onKeyDown={(event) => {
          if (event.key !== "Escape" || !open) return;
          event.stopPropagation();
          setOpen(false);
        }}
      >
        {text}
      </button>
      {open && more && (
        <span id={id} role="tooltip" class="card tip">
          {more}
        </span>
      )}
    </span>
  );
}
