/** What is sent when a form is submitted, and the mark by which the service knows it again. */
import type { Json } from "./draft";

export interface Order {
  path: string;
  body: Json;
}

export interface Asked {
  drafts: Json[];
  priority: number;
  /** Of a sweep; both empty for a plain run. */
  seeds: number[];
  matrix: Record<string, unknown[]>;
  /** Set for a clone. */
  clone: { id: string; overrides: Json; fromCheckpoint: number | null } | null;
}

export function ordersOf({ drafts, priority, seeds, matrix, clone }: Asked): Order[] {
  if (clone) {
    const body = { overrides: clone.overrides, from_checkpoint: clone.fromCheckpoint, priority };
    return [{ path: `/runs/${encodeURIComponent(clone.id)}/clone`, body }];
  }
  if (isSweep({ seeds, matrix }))
    return drafts.map((spec) => ({
      path: "/sweeps",
      body: { name: String(spec.name ?? ""), spec, matrix, seeds, priority },
    }));
  return drafts.map((body) => ({ path: `/runs${priority ? `?priority=${priority}` : ""}`, body }));
}

export const isSweep = ({ seeds, matrix }: Pick<Asked, "seeds" | "matrix">): boolean =>
  seeds.length > 0 || Object.keys(matrix).length > 0;

/** One key for each order, the same as long as the order is: sent twice, it makes one run. */
export function keysFor(orders: Order[], held: Record<string, string>, make: () => string): Record<string, string> {
  return Object.fromEntries(orders.map((order, i) => [textOf(order, i), held[textOf(order, i)] ?? make()]));
}
/** Two equal specs of one recipe are two runs. */
export const textOf = (order: Order, place: number): string => `${place} ${order.path} ${JSON.stringify(order.body)}`;

/** `crypto.randomUUID` is only there over https. */
export function newKey(): string {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** "0, 1, 2" or "0-4"; null if it cannot be read. */
export function readSeeds(text: string): number[] | null {
  const seeds: number[] = [];
  for (const word of text.split(/[\s,]+/).filter(Boolean)) {
    const found = /^(\d{1,9})(?:-(\d{1,9}))?$/.exec(word);
    if (!found) return null;
    const [low, high] = [Number(found[1]), Number(found[2] ?? found[1])];
    if (high < low || high - low > 255) return null;
    for (let seed = low; seed <= high; seed += 1) seeds.push(seed);
  }
  return [...new Set(seeds)].slice(0, 256);
}

/** A text as a shell takes it: a ' within is left, and a quoted one put there. */
const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

/** The command that sends what spec.yaml holds. */
export function commandOf([order]: Order[]): string {
  if (!order) return "trapo submit spec.yaml";
  const priority = order.body.priority ?? new URLSearchParams(order.path.split("?")[1]).get("priority");
  const first = priority ? ` --priority ${priority}` : "";
  if (order.path !== "/sweeps") return `trapo submit spec.yaml${first}`;
  const { matrix, seeds } = order.body as unknown as Pick<Asked, "matrix" | "seeds">;
  const sets = Object.entries(matrix).map(
    ([path, values]) => ` --set ${quoted(`${path}=${JSON.stringify(values).slice(1, -1)}`)}`,
  );
  return `trapo sweep spec.yaml${sets.join("")}${seeds.length ? ` --seeds ${seeds.join()}` : ""}${first}`;
}

/** The same over HTTP. */
export function curlOf({ path, body }: Order, origin: string): string {
  return `curl -X POST '${origin}/api/v1${path}' \\
  -H "Authorization: Bearer $TRAPO_API_KEY" \\
  -H "Content-Type: application/json" \\
  -d ${quoted(JSON.stringify(body, null, 2))}`;
}
