import { useEffect, useRef, useState } from "preact/hooks";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { type Mover, nearest } from "../cursor";
import { useTheme, useWidth } from "./canvas";
import { dataOf, fit, keyPan, keyStep, keyZoom, options, type Props, show, wheelPan } from "./plot";

/** A uPlot that lives as long as its lines have the same names; data, zoom and theme flow into it. */
export function LineChart(props: Props) {
  const { x, lines, height, zoom, cursor, label, axis, log, markers } = props;
  const [box, width] = useWidth<HTMLDivElement>();
  const plot = useRef<uPlot | null>(null);
  // The step under the cursor is kept here: a plot that is made anew, for a theme or a width, would forget it.
  const held = useRef<number | null>(null);
  const onIndex = (i: number | null): void => {
    held.current = i === null ? null : (x[i] ?? null);
    props.onIndex(i);
  };
  const now = useRef(props);
  now.current = { ...props, onIndex };
  const shade = useTheme();
  const looks = lines.map((l) => `${l.label}|${l.color}|${l.width}|${l.dash}|${!!l.band}|${l.dots}`);
  const shape = [log, axis?.kind, ...looks].join("\n");
  const ready = width > 0;

  const [follower] = useState<Mover>(() => (step: number | null) => {
    const u = plot.current;
    if (!u) return;
    const i = step === null ? -1 : nearest(now.current.x, step);
    show(u, i);
    now.current.onIndex(i < 0 ? null : i);
  });
  useEffect(() => cursor.follow(follower), []);
  const keep = (u: uPlot): void => {
    if (held.current !== null) show(u, nearest(now.current.x, held.current));
  };

  useEffect(() => {
    if (!ready) return;
    const u = new uPlot(options(now, follower, width), dataOf(now.current), box.current!);
    plot.current = u;
    if (now.current.plotRef) now.current.plotRef.current = u;
    fit(u, now.current);
    keep(u);
    return () => {
      u.destroy();
      plot.current = null;
    };
  }, [shape, ready, shade, height]);

  useEffect(() => plot.current?.setSize({ width, height }), [width]);
  useEffect(() => {
    const u = plot.current;
    if (!u) return;
    u.setData(dataOf(now.current), false);
    fit(u, now.current);
    keep(u);
  }, [x, lines, zoom, axis, markers, props.broken, props.yMax, props.span?.[0], props.span?.[1]]);

  const press = (event: KeyboardEvent): void => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const at = held.current === null ? null : nearest(x, held.current);
    const to = keyStep(event, at, x);
    const range = keyPan(event, props) ?? keyZoom(event, at, props);
    if (to === undefined && range === undefined) return;
    event.preventDefault();
    if (range !== undefined) {
      props.onZoom(range);
      return;
    }
    const i = to ?? -1;
    if (plot.current) show(plot.current, i); // there is none for a moment after the page opens; keys count all the same
    onIndex(i < 0 ? null : i);
    cursor.move(i < 0 ? null : x[i]!, follower);
  };

  useEffect(() => {
    const wheel = (event: WheelEvent): void => {
      const range = plot.current ? wheelPan(event, plot.current, now.current) : undefined;
      if (!range) return;
      event.preventDefault();
      now.current.onZoom(range);
    };
    // By hand: a listener that may hold the page must say that it is not passive.
    box.current!.addEventListener("wheel", wheel, { passive: false });
    return () => box.current?.removeEventListener("wheel", wheel);
  }, []);

  return (
    <div
      ref={box}
      class="lines"
      role="application"
      aria-roledescription="line chart"
      aria-label={`${label}. Arrow keys move through the steps, plus and minus zoom, page up and down move a zoomed window, 0 shows all.`}
      tabIndex={0}
      onKeyDown={press}
      style={{ height: `${height}px` }}
    />
  );
}
