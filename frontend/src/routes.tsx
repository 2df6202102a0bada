/** Every page by its path. A page's code is loaded when it is first opened. */
import type { ComponentType } from "preact";
import { useEffect, useState } from "preact/hooks";
import { Guard } from "./components/Guard";
import { Failure, Waiting, WaitingPart } from "./components/parts";
import { asError } from "./loaded";

export interface PageProps {
  /** The parts of the path that the route leaves open. */
  parts: string[];
  query: URLSearchParams;
}
export type Load<Props> = () => Promise<{ default: ComponentType<Props> }>;

const PAGES: [RegExp, Load<PageProps>][] = [
  [/^\/$/, () => import("./pages/Runs")],
  [/^\/new$/, () => import("./pages/New")],
  [/^\/login$/, () => import("./pages/Login")],
  [/^\/system$/, () => import("./pages/System")],
  [/^\/compare\/?$/, () => import("./pages/Compare")],
  [/^\/benchmarks\/?$/, () => import("./pages/Benchmarks")],
  [/^\/runs\/([^/]+)(?:\/([a-z]+))?\/?$/, () => import("./pages/Run")],
  [/^\/(.*)$/, () => import("./pages/Missing")],
];

export function pageOf(path: string): { load: Load<PageProps>; parts: string[] } {
  for (const [pattern, load] of PAGES) {
    const found = pattern.exec(path);
    if (found) return { load, parts: found.slice(1).map((part) => decoded(part ?? "")) };
  }
  throw new Error(`no page for ${path}`); // the last pattern takes every path
}

/** As it is where it is no encoding: a mistyped link is a page that is not there. */
function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

const loaded = new Map<unknown, unknown>(); // by the function that loads it

/** A component whose code comes later; its place is held meanwhile, that of a page or, `inside` of one, of a part. */
export function Lazy<Props extends object>({
  load,
  props,
  inside,
}: {
  load: Load<Props>;
  props: Props;
  inside?: true;
}) {
  const [error, setError] = useState<Error | null>(null);
  const [, redraw] = useState(0);
  const Part = loaded.get(load) as ComponentType<Props> | undefined;
  useEffect(() => {
    if (Part) return;
    setError(null);
    load().then(
      (module) => {
        loaded.set(load, module.default);
        redraw((n) => n + 1);
      },
      // After an update of the service the old names of its files are gone.
      (e: unknown) => setError(asError(e)),
    );
  }, [load]);
  if (error) return <Failure error={error} again={() => location.reload()} />;
  if (Part)
    return (
      <Guard>
        <Part {...props} />
      </Guard>
    );
  return inside ? <WaitingPart label="Loading this part" /> : <Waiting label="Loading the page" />;
}
