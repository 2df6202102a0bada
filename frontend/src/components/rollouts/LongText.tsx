/** Text of any length, its beginning first. */
import { useState } from "preact/hooks";
import { count } from "../../format";
import { marked, plain } from "../../pictures/plain";
import { Formulas } from "./Formulas";

/** How text is shown: as it is, with its blanks, or with its formulas drawn. */
export type Show = "text" | "blanks" | "formulas";

const SHOWN = 20_000; // characters; as much as anybody reads, and no more than a browser lays out at once

export function LongText({ text, show }: { text: string; show: Show }) {
  const [shown, setShown] = useState(SHOWN);
  return (
    <div class="text">
      {show === "formulas" ? (
        <Formulas text={plain(text.slice(0, shown))} />
      ) : (
        (show === "blanks" ? marked : plain)(text.slice(0, shown))
      )}
      {text.length > shown && (
        <button type="button" class="quiet" onClick={() => setShown(shown * 4)}>
          show more of {count(text.length)} characters
        </button>
      )}
    </div>
  );
}
