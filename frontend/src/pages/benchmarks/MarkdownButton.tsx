/** The board as a table to paste. Where the browser lets nobody write its clipboard, the text is shown to be copied. */
import { useState } from "preact/hooks";
import { type ScoreSet, toMarkdown } from "../../pictures/board";

export function MarkdownButton({ sets }: { sets: readonly ScoreSet[] }) {
  const [shown, setShown] = useState("");
  const [said, setSaid] = useState("");
  const copy = async (): Promise<void> => {
    const text = toMarkdown(sets);
    setShown(text);
    try {
      await navigator.clipboard.writeText(text);
      setSaid("Copied.");
    } catch {
      setSaid("Select and copy:");
    }
  };
  return (
    <div class="markdown">
      <button type="button" onClick={() => void copy()}>
        Copy as Markdown
      </button>
      <span role="status">{said}</span>
      {shown && (
        <>
          <button
            type="button"
            class="quiet"
            onClick={() => {
              setShown("");
              setSaid("");
            }}
          >
            close
          </button>
          <textarea
            readOnly
            aria-label="The board as Markdown"
            rows={8}
            value={shown}
            onFocus={(e) => e.currentTarget.select()}
          />
        </>
      )}
    </div>
  );
}
