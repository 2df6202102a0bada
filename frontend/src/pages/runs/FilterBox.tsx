/** The filter as one line of text, with what could be written next. A combobox as ARIA 1.2 has it. */
import { useEffect, useId, useRef, useState } from "preact/hooks";
import { accept, complete, type Seen } from "../../filter/complete";
import type { Problem } from "../../filter/filter";
import { FilterProblems } from "./FilterProblems";

const APPLY_MS = 300; // after the last key
const COMPLAIN_MS = 1200; // nobody is corrected in mid-word

interface Props {
  value: string;
  problems: readonly Problem[];
  seen: Seen;
  onChange: (text: string) => void;
}

export function FilterBox({ value, problems, seen, onChange }: Props) {
  const [text, setText] = useState(value);
  const [caret, setCaret] = useState(-1); // -1: nothing is offered
  const [active, setActive] = useState(-1);
  const [pause, setPause] = useState(true);
  const input = useRef<HTMLInputElement>(null);
  const sent = useRef(value);
  const list = useId();

  const apply = (next: string): void => {
    if (next.trim() === sent.current) return;
    sent.current = next.trim();
    onChange(sent.current);
  };
  useEffect(() => {
    // Changed elsewhere: by a link, by the browser's back button.
    if (value !== sent.current) setText(value);
    sent.current = value;
  }, [value]);
  useEffect(() => {
    const timers = [setTimeout(() => apply(text), APPLY_MS), setTimeout(() => setPause(true), COMPLAIN_MS)];
    return () => timers.forEach(clearTimeout);
  }, [text]);

  const found = complete(text, Math.max(caret, 0), seen);
  const options = caret < 0 ? [] : found.options;
  const close = (): void => {
    setCaret(-1);
    setActive(-1);
  };
  const write = (next: string, at: number): void => {
    setText(next);
    setPause(false);
    setActive(-1);
    setCaret(at);
    requestAnimationFrame(() => {
      input.current?.focus();
      input.current?.setSelectionRange(at, at);
    });
  };
  const take = (index: number): void => {
    const next = accept(text, found, options[index]!);
    write(next.text, next.caret);
  };
  const move = (step: number): void => {
    if (options.length === 0) setCaret(input.current?.selectionStart ?? text.length);
    else setActive(active < 0 && step < 0 ? options.length - 1 : (active + step + options.length) % options.length);
  };
  const enter = (): void => {
    if (active >= 0 && options.length > 0) take(active);
    else {
      close();
      apply(text);
      setPause(true);
    }
  };
  const leave = (): void => {
    if (options.length > 0) close();
    else if (text) write("", 0);
  };
  const keys = (event: KeyboardEvent): void => {
    const acts: Record<string, () => void> = {
      ArrowDown: () => move(1),
      ArrowUp: () => move(-1),
      Enter: enter,
      Escape: leave,
    };
    const act = acts[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  };
  return (
    <div class="filter">
      <div class="filter-line" role="search">
        <input
          ref={input}
          type="text"
          role="combobox"
          aria-label="Filter runs"
          aria-expanded={options.length > 0}
          aria-controls={list}
          aria-autocomplete="list"
          aria-activedescendant={active >= 0 ? `${list}-${active}` : undefined}
          aria-invalid={pause && problems.length > 0}
          aria-describedby={`${list}-wrong`}
          autocomplete="off"
          spellcheck={false}
          maxLength={500}
          placeholder="Filter: status:running method:trapo reward>0.6 tag:x, or a name"
          value={text}
          onInput={(event) => {
            setText(event.currentTarget.value);
            setPause(false);
            setActive(-1);
            setCaret(event.currentTarget.selectionStart ?? event.currentTarget.value.length);
          }}
          onClick={(event) => setCaret(event.currentTarget.selectionStart ?? 0)}
          onBlur={() => {
            close();
            setPause(true);
          }}
          onKeyDown={keys}
        />
        {text && (
          <button type="button" class="quiet clear" aria-label="Clear the filter" onClick={() => write("", 0)}>
            clear
          </button>
        )}
        <div
          id={list}
          role="listbox"
          aria-label="What could be written"
          class="card options"
          hidden={options.length === 0}
        >
          {options.map((option, i) => (
            // The focus stays in the text; the mouse goes down before the text would lose it.
            <div
              key={option.text}
              id={`${list}-${i}`}
              role="option"
              aria-selected={i === active}
              onMouseDown={(event) => {
                event.preventDefault();
                take(i);
              }}
            >
              <code>{option.text}</code> <span class="muted">{option.hint}</span>
            </div>
          ))}
        </div>
      </div>
      <div id={`${list}-wrong`} aria-live="polite">
        {pause && options.length === 0 && (
          <FilterProblems text={value} problems={problems} onMend={(next) => write(next, next.length)} />
        )}
      </div>
    </div>
  );
}
