/** The list of runs: read a page at a time, and kept in step with what comes by the stream. */
import * as api from "../api/runs";
import { matches } from "../filter/matches";
import { asError } from "../loaded";
import type { Run, RunPage } from "../types";
import { draw, NEWEST, type RunList, store } from "./state";

const FIRST = 50; // soon on the screen
const MORE = 200; // the most that the api gives at once

const isAsked = (question: api.Question): boolean => JSON.stringify(question) === JSON.stringify(store.question);

/** Reads the list for a question; for the same question as before, as much of it as is held. The answer to a question
 *  that was overtaken by another is dropped. */
export async function loadRuns(question: api.Question = store.question): Promise<void> {
  const same = isAsked(question);
  const wanted = same && store.list.state === "ready" ? store.list.value.ids.length : 1;
  const list: RunList = { ids: [], next: null, total: 0, waiting: new Set() };
  store.question = question;
  store.reading += 1;
  draw();
  try {
    do addPage(list, await api.listRuns(question, list.next, wanted > FIRST ? MORE : FIRST));
    while (list.next && list.ids.length < wanted && isAsked(question));
    if (isAsked(question)) store.list = { state: "ready", value: list };
  } catch (e) {
    // A list that is on the screen stays there; the connection chip says that it is getting old.
    if (isAsked(question) && (store.list.state !== "ready" || !same))
      store.list = { state: "error", error: asError(e) };
  }
  store.reading -= 1;
  draw();
}

/** The next page, if there is one and nobody is reading. */
export async function loadMoreRuns(): Promise<void> {
  if (store.list.state !== "ready" || !store.list.value.next || store.reading) return;
  const list = store.list.value;
  store.reading += 1;
  try {
    addPage(list, await api.listRuns(store.question, list.next, MORE));
  } finally {
    store.reading -= 1;
    draw();
  }
}

function addPage(list: RunList, page: RunPage): void {
  const held = new Set(list.ids);
  for (const run of page.data) {
    store.rows.set(run.id, run);
    if (!held.has(run.id)) list.ids.push(run.id);
    list.waiting.delete(run.id);
  }
  list.next = page.next_cursor ?? null;
  list.total = list.next ? Math.max(page.total ?? list.total, list.ids.length + 1) : list.ids.length;
}

/** A run that was not in the list and may belong there now: a new one comes on top of the newest, others are counted
 *  until the list is read again. */
export function consider(run: Run, created: boolean): void {
  if (store.list.state !== "ready" || store.list.value.ids.includes(run.id)) return;
  const list = store.list.value;
  if (!matches(run, store.question.filter)) list.waiting.delete(run.id);
  else if (store.question.sort === NEWEST && list.ids.every((other) => other < run.id)) {
    list.ids.unshift(run.id);
    list.total += 1;
  } else if (created || !list.next) list.waiting.add(run.id);
}

/** Takes runs out of the list that the person has just put elsewhere, such as into the archive. */
export function dropUnmatched(ids: readonly string[]): void {
  if (store.list.state !== "ready") return;
  const gone = new Set(ids.filter((id) => !matches(store.rows.get(id)!, store.question.filter)));
  const kept = store.list.value.ids.filter((id) => !gone.has(id));
  store.list.value.total -= store.list.value.ids.length - kept.length;
  store.list.value.ids = kept;
  draw();
}
