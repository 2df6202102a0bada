/** The groups that a filter asks for, as far as they have been looked for. */
import { useEffect, useRef, useState } from "preact/hooks";
import { type Asked, getGroups } from "./api/rollouts";
import { asError } from "./loaded";
import type { Group, Groups } from "./types";

const PAGE = 40; // groups
const REQUESTS = 5; // a page may be empty though there is more: how often we go on without being told to

export interface Found {
  groups: Group[];
  next: string | null;
  kept: Groups["kept"] | null;
  busy: boolean;
  error: Error | null;
}

const NOTHING: Found = { groups: [], next: null, kept: null, busy: true, error: null };

export function useGroups(id: string, asked: Asked, again: number): [Found, () => void] {
  const [found, set] = useState<Found>(NOTHING);
  const question = useRef(0); // an answer that was overtaken by a later question is dropped
  const search = async (from: Found): Promise<void> => {
    question.current += 1;
    const mine = question.current;
    let at: Found = { ...from, busy: true, error: null };
    const wanted = from.groups.length + PAGE;
    try {
      for (let request = 1; at.busy; request += 1) {
        const page = await getGroups(id, asked, wanted - at.groups.length, at.next);
        if (question.current !== mine) return;
        const groups = [...at.groups, ...page.data];
        const next = page.next_cursor ?? null;
        at = { ...at, groups, next, kept: page.kept, busy: !!next && groups.length < wanted && request < REQUESTS };
        set(at);
      }
    } catch (e) {
      if (question.current === mine) set({ ...at, busy: false, error: asError(e) });
    }
  };
  useEffect(() => {
    set((before) => ({ ...before, busy: true, error: null })); // what is shown stays until the answer is there
    void search({ ...NOTHING, kept: found.kept });
    return () => {
      question.current += 1;
    };
  }, [id, JSON.stringify(asked), again]);
  return [found, () => void search(found)];
}
