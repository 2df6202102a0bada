/** The frame of every picture: title, summary, tools, live region, table. */
import type { ComponentChildren, Ref } from "preact";
import { useId, useState } from "preact/hooks";
import { type Table, toCsv } from "../pictures/table";
import { DataTable } from "./DataTable";

interface Props {
  title: string;
  /** The picture in words; what a screen reader hears first and what stands below the title. */
  summary: string;
  /** The numbers under the cursor, shown and said. */
  reading?: string;
  /** Above a tall picture, so that it is in view while one points. */
  readingFirst?: boolean;
  /** Nothing to draw yet: no tools, no cursor. */
  empty?: boolean;
  tools?: ComponentChildren;
  table: () => Table;
  png: () => HTMLCanvasElement | null;
  /** The picture as an SVG file. */
  svg?: () => string;
  /** What the numbers mean, one click away. */
  about?: ComponentChildren;
  file: string;
  /** The whole of it, for those who ask whether it is on the screen. */
  box?: Ref<HTMLElement>;
  children: ComponentChildren;
}

export function Figure({
  title,
  summary,
  reading,
  readingFirst = false,
  empty = false,
  tools,
  table,
  png,
  svg,
  about,
  file,
  box,
  children,
}: Props) {
  const [asTable, setAsTable] = useState(false);
  const id = useId();
  const [head, text, data] = [`${id}-t`, `${id}-s`, `${id}-d`];
  const said = !asTable && !empty && (
    <p class="reading" aria-live="polite">
      {reading || (
        <span class="hint">Point at the picture, or focus it and use the arrow keys, for exact numbers.</span>
      )}
    </p>
  );
  return (
    <figure
      ref={box}
      class="card figure"
      aria-labelledby={head}
      aria-describedby={text}
      aria-details={asTable ? data : undefined}
    >
      <header class="figure-head">
        <h2 id={head}>{title}</h2>
        {!empty && (
          <div class="tools">
            {tools}
            <button type="button" class="quiet" aria-pressed={asTable} onClick={() => setAsTable(!asTable)}>
              table
            </button>
            <button type="button" class="quiet" onClick={() => savePng(png(), file)} disabled={asTable}>
              PNG
            </button>
            {svg && (
              <button
                type="button"
                class="quiet"
                onClick={() => save(new Blob([svg()], { type: "image/svg+xml" }), `${file}.svg`)}
                disabled={asTable}
              >
                SVG
              </button>
            )}
            <button
              type="button"
              class="quiet"
              onClick={() => save(new Blob([toCsv(table())], { type: "text/csv" }), `${file}.csv`)}
            >
              CSV
            </button>
          </div>
        )}
      </header>
      <p id={text} class="summary">
        {summary}
      </p>
      {about && (
        <details class="about">
          <summary>What is this?</summary>
          {about}
        </details>
      )}
      {readingFirst && said}
      {asTable && !empty ? <DataTable id={data} table={table()} /> : children}
      {!readingFirst && said}
    </figure>
  );
}

function savePng(canvas: HTMLCanvasElement | null, file: string): void {
  canvas?.toBlob((blob) => blob && save(blob, `${file}.png`), "image/png");
}

export function save(blob: Blob, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  // The browser reads the blob after the click; a minute is long enough for it.
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
