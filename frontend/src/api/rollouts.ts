/** Rollouts of a run: groups by what they are, and one rollout token by token. */
import { num } from "../format";
import type { Group, GroupSample, Groups, RolloutDetail } from "../types";
import { get, queryOf } from "./http";
import { runPath } from "./runs";

/** The words of `GET /runs/{id}/groups`. */
export type Asked = Partial<
  Record<"step" | "problem" | "verdict" | "finish" | "contains" | "matches" | "min_reward" | "max_reward", string>
> & { guided?: boolean };

export async function getGroups(id: string, asked: Asked, limit: number, cursor: string | null): Promise<Groups> {
  const page = await get<Groups>(`${runPath(id)}/groups${queryOf({ ...asked, limit, cursor })}`);
  return { ...page, data: page.data.map(readGroup) };
}

export async function getRollout(id: string, rollout: string): Promise<RolloutDetail> {
  const found = await get<RolloutDetail>(`${runPath(id)}/rollouts/${encodeURIComponent(rollout)}`);
  const { tokens } = found;
  return {
    ...readSample(found),
    tokens: {
      ...tokens,
      p: tokens.p.map(maybe),
      kernel_weights: tokens.kernel_weights.map(maybe),
      advantages: tokens.advantages.map(maybe),
      entropies: tokens.entropies.map(maybe),
    },
  };
}

const maybe = (x: number | null): number | null => (x === null ? null : num(x));
const readGroup = (group: Group): Group => ({
  ...group,
  samples: group.samples.map((s): GroupSample => readSample(s)),
});
const readSample = <S extends { reward: number; advantage: number | null }>(sample: S): S => ({
  ...sample,
  reward: num(sample.reward),
  advantage: maybe(sample.advantage),
});
