import { useState } from "preact/hooks";
import type { ScorePicture } from "../pictures/scores";
import { useWidth } from "./canvas";
import { Shape } from "./Shape";

interface Props {
  picture: (width: number, selected: number | null) => ScorePicture;
  /** A row in words. */
  describe: (row: number) => string;
  label: string;
  onReading: (text: string) => void;
}

/** Rows of scores that pointer and arrow keys read. SVG, so that it is sharp anywhere and the marks are the ones the
 *  PNG paints. */
export function Bars({ picture: draw, describe, label, onReading }: Props) {
  const [box, width] = useWidth<HTMLDivElement>();
  const [at, setAt] = useState<number | null>(null);
  const picture = draw(Math.max(280, width), at);
  const rows = picture.rowTops.length;

  const go = (i: number | null): void => {
    setAt(i);
    onReading(i === null ? "" : describe(i));
  };
  const press = (event: KeyboardEvent): void => {
    const last = rows - 1;
    const to: Record<string, number | null> = {
      ArrowDown: at === null ? 0 : Math.min(last, at + 1),
      ArrowUp: at === null ? last : Math.max(0, at - 1),
      Home: 0,
      End: last,
      Escape: null,
    };
    if (!(event.key in to)) return;
    event.preventDefault();
    go(to[event.key]!);
  };
  const point = (event: PointerEvent): void => {
    const y = event.clientY - box.current!.getBoundingClientRect().top;
    const i = picture.rowTops.findLastIndex((top) => top <= y);
    if (i !== at) go(i < 0 ? null : i);
  };

  return (
    <div
      ref={box}
      class="scores"
      role="application"
      aria-roledescription="bar chart"
      aria-label={`${label}. Arrow up and down move through the scores.`}
      tabIndex={0}
      onKeyDown={press}
      onPointerMove={point}
      onPointerLeave={() => go(null)}
    >
      {width > 0 && (
        <svg
          width={picture.width}
          height={picture.height}
          viewBox={`0 0 ${picture.width} ${picture.height}`}
          aria-hidden="true"
        >
          {picture.marks.map((mark, i) => (
            <Shape key={i} mark={mark} />
          ))}
        </svg>
      )}
    </div>
  );
}
