"""The losses of ALGORITHMS 2 and 3 once more, as plain loops over single tokens in float64; nothing of the product's.

The model is a table of logits: the next token depends on the one before. What the document detaches (sg) is read from
a second table that stays fixed, so that a finite difference of a formula is the gradient that it stands for.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from statistics import fmean, stdev

from trapo_core.group import Group, Rollout

MAX_TOKENS = 8  # Lmax
Table = list[list[float]]
Step = tuple[int, int]  # previous token, token
# Loss of an expert token as a function of p and of a detached p.
Expert = Callable[[float, float], float]


@dataclass(frozen=True)
class Tables:
    """Logits by previous token: those that vary, the same held fixed, those before the first update of the batch, and
    the reference policy's."""

    free: Table
    fixed: Table
    old: Table
    reference: Table


@dataclass(frozen=True)
class Batch:
    """Groups of a step, and whole traces shown beside them."""

    groups: Sequence[Group]
    shown: Sequence[Group] = ()


def logp(table: Table, step: Step) -> float:
    row = table[step[0]]
    return row[step[1]] - math.log(sum(math.exp(z) for z in row))


def entropy(table: Table, step: Step) -> float:
    logps = [logp(table, (step[0], token)) for token in range(len(table))]
    return -sum(math.exp(value) * value for value in logps)


def samples(groups: Sequence[Group]) -> Iterator[tuple[Rollout, list[Step], list[Step]]]:
    """Each rollout with the steps of its expert prefix and of its own tokens."""
    for group in groups:
        for rollout in group.rollouts:
            response = [*rollout.prefix_ids, *rollout.completion_ids]
            steps = list(zip([group.problem.prompt_ids[-1], *response], response, strict=False))
            yield rollout, steps[: len(rollout.prefix_ids)], steps[len(rollout.prefix_ids) :]


# ------------------------------------------------------------------------------------------------------ expert tokens


def trsft(p: float, _: float) -> float:
    """ALGORITHMS 1.2, alpha = .1."""
    return -math.log(p) if p >= 0.1 else -p / 0.1 + 1 - math.log(0.1)


# The losses as the document writes them: their gradient is right.
CLOSED: dict[str, Expert] = {
    "nll": lambda p, _: -math.log(p),
    "trsft": trsft,
    "dft": lambda p, fixed: -fixed * math.log(p),
    "phi": lambda p, fixed: -fixed * (1 - fixed) * math.log(p),
    "shaped": lambda p, _: -p / (p + 0.1),
    "p": lambda p, _: -p,
}
# The one surrogate -sg(k)·log p of 3.1: its value is what a step reports.
SURROGATE: dict[str, Expert] = {
    "nll": lambda p, _: -math.log(p),
    "trsft": lambda p, fixed: -min(fixed / 0.1, 1) * math.log(p),
    "dft": lambda p, fixed: -fixed * math.log(p),
    "phi": lambda p, fixed: -fixed * (1 - fixed) * math.log(p),
    "shaped": lambda p, fixed: -0.1 * fixed / (fixed + 0.1) ** 2 * math.log(p),
    "p": lambda p, fixed: -fixed * math.log(p),
}


def expert_sum(loss: Expert, tables: Tables, steps: Sequence[Step]) -> float:
    return sum(loss(math.exp(logp(tables.free, step)), math.exp(logp(tables.fixed, step))) for step in steps)


# --------------------------------------------------------------------------------------------------------- own tokens


def ratio(tables: Tables, step: Step) -> float:
    return math.exp(logp(tables.free, step) - logp(tables.old, step))


def clipped(tables: Tables, step: Step, advantage: float, dual: float | None = None) -> float:
    """-min(r A, clip(r) A) with a clip of .2; with `dual` = c at least c·A where A < 0."""
    r = ratio(tables, step)
    gain = min(r * advantage, min(max(r, 0.8), 1.2) * advantage)
    return -max(gain, dual * advantage) if dual and advantage < 0 else -gain


def k3(tables: Tables, step: Step) -> float:
    gap = logp(tables.reference, step) - logp(tables.free, step)
    return math.exp(gap) - gap - 1


def rewards(group: Group) -> list[float]:
    return [rollout.reward for rollout in group.rollouts]


def centred(group: Group) -> list[float]:
    """A = R - mean over all samples of the group."""
    return [reward - fmean(rewards(group)) for reward in rewards(group)]


def z_scores(group: Group) -> list[float]:
    """A = (R - mean)/(std + 1e-6), the std unbiased."""
    return [a / (stdev(rewards(group)) + 1e-6) for a in centred(group)]


def per_token(
    batch: Batch, advantages: Callable[[Group], list[float]], token: Callable[[Step, float], float]
) -> list[list[float]]:
    """`token(step, A)` for each own token of each sample of the batch's own groups."""
    values = [a for group in batch.groups for a in advantages(group)]
    owns = [own for _, _, own in samples(batch.groups)]
    return [[token(step, a) for step in own] for own, a in zip(owns, values, strict=True)]


def const(values: list[list[float]]) -> float:
    """1/(B n) of the sum over samples of the sum over tokens / Lmax (1.7)."""
    return sum(map(sum, values)) / (len(values) * MAX_TOKENS)


def token_mean(values: list[list[float]]) -> float:
    return fmean([value for tokens in values for value in tokens])


def seq_mean(values: list[list[float]]) -> float:
    """Mean over the samples that have tokens of the mean over their tokens."""
    return fmean(fmean(tokens) for tokens in values if tokens)


# ------------------------------------------------------------------------------------------------------------ methods

Losses = dict[str, Expert]
Loss = Callable[[Batch, Tables, Losses], float]


def supervised(kernel: str) -> Loss:
    """2.1, 2.14: the mean over all target tokens of the batch, shown ones and a group's own traces alike."""

    def loss(batch: Batch, tables: Tables, expert: Losses) -> float:
        prefixes = [prefix for _, prefix, _ in samples([*batch.groups, *batch.shown])]
        return sum(expert_sum(expert[kernel], tables, prefix) for prefix in prefixes) / sum(map(len, prefixes))

    return loss


def dr_grpo(batch: Batch, tables: Tables, _: Losses) -> float:
    """2.2: A = R - mean, sum / Lmax, mean over samples; clip .2."""
    return const(per_token(batch, centred, lambda step, a: clipped(tables, step, a)))


def unclipped(batch: Batch, tables: Tables, _: Losses) -> float:
    """The policy part of TRAPO, which is that of its GRPO row: no clip (1.1)."""
    return const(per_token(batch, centred, lambda step, a: -a * ratio(tables, step)))


def micro_groups(kernel: str | None, gate: Callable[[float], float] = lambda _: 1.0) -> Loss:
    """1.1 and its ablations (1.11), LUFFY (2.5): one sum, one denominator, each distinct prefix of a slot once."""

    def loss(batch: Batch, tables: Tables, expert: Losses) -> float:
        total = [unclipped(batch, tables, expert)]
        advantages = [a for group in batch.groups for a in centred(group)]
        count = len(advantages) * MAX_TOKENS
        for (rollout, prefix, _), a in zip(samples(batch.groups), advantages, strict=True):
            if kernel and rollout.copy == 0:
                total.append(gate(a) * expert_sum(expert[kernel], tables, prefix) / count)
        return sum(total)

    return loss


def trapo_official(batch: Batch, tables: Tables, expert: Losses) -> float:
    """0 and 1.7: an entropy bonus of 1e-4 over all response tokens, prefixes too."""
    steps = [step for _, prefix, own in samples(batch.groups) for step in (*prefix, *own)]
    return micro_groups("trsft")(batch, tables, expert) - 1e-4 * fmean(entropy(tables.free, step) for step in steps)


def rl_sft(batch: Batch, tables: Tables, expert: Losses) -> float:
    """2.4: A from the seven only. The policy's mean is over all eight samples of each problem, as in 1.7."""

    def against_the_seven(group: Group) -> list[float]:
        mean = fmean(rollout.reward for rollout in group.rollouts if not rollout.prefix_ids)
        return [reward - mean for reward in rewards(group)]

    own = const(per_token(batch, against_the_seven, lambda step, a: -a * ratio(tables, step)))
    return own + supervised("nll")(batch, tables, expert)


def prefix_rft(batch: Batch, tables: Tables, _: Losses) -> float:
    """2.7: prefix and own tokens alike; of each prefix only the fifth (at least one token) where the policy's entropy
    is highest. Mean over all response tokens, those whose advantage was taken away too."""
    advantages = [a for group in batch.groups for a in centred(group)]
    total, count = 0.0, 0
    for (_, prefix, own), a in zip(samples(batch.groups), advantages, strict=True):
        surest_last = sorted(prefix, key=lambda step: -entropy(tables.fixed, step))
        kept = surest_last[: max(1, round(0.2 * len(prefix)))] if prefix else []
        total += sum(clipped(tables, step, a, dual=3.0) for step in (*kept, *own))
        count += len(prefix) + len(own)
    return total / count


def srft(batch: Batch, tables: Tables, expert: Losses) -> float:
    """2.8. Means over demonstrations and over own samples of the mean over their tokens; A_d over group and demo."""

    def mean_entropy(steps: Sequence[Step]) -> float:
        return fmean(entropy(tables.fixed, step) for step in steps)

    advantages = [a for group in batch.groups for a in z_scores(replace_rewards(group))]
    shown, own_samples = [], []
    for (rollout, demo, own), a in zip(samples(batch.groups), advantages, strict=True):
        if demo:
            nll, reinforced = (expert_sum(expert[kernel], tables, demo) / len(demo) for kernel in ("nll", "p"))
            shown.append(0.5 * math.exp(-mean_entropy(demo)) * nll + a * reinforced)
        else:
            logps = fmean(logp(tables.free, step) for step in own)
            own_samples.append(-0.1 * math.exp(mean_entropy(own)) * logps if rollout.reward else logps)
    return fmean(shown) + fmean(own_samples)


def replace_rewards(group: Group) -> Group:
    """Rewards of +1 and -1."""
    return Group(group.problem, [replace(rollout, reward=2 * rollout.reward - 1) for rollout in group.rollouts])


def chord(kernel: str, mu: float) -> Loss:
    """2.9: (1 - mu) GRPO with std, clip and token mean + mu SFT on a stream of its own."""

    def loss(batch: Batch, tables: Tables, expert: Losses) -> float:
        grpo = token_mean(per_token(batch, z_scores, lambda step, a: clipped(tables, step, a)))
        return (1 - mu) * grpo + mu * supervised(kernel)(Batch((), batch.shown), tables, expert)

    return loss


def mu_of_chord(step: int) -> float:
    """2.9 with w = 0, d = 200, peak .9, valley .05."""
    return 0.05 + (0.9 - 0.05) * (1 + math.cos(math.pi * step / 200)) / 2 if step < 200 else 0.05


def hpt(batch: Batch, tables: Tables, expert: Losses) -> float:
    """2.10: `shown` are the traces of failed problems, whose samples are gone; means over what is left."""
    own = unclipped(batch, tables, expert) if batch.groups else 0.0
    return own + (supervised("nll")(Batch((), batch.shown), tables, expert) if batch.shown else 0.0)


def classic_grpo(kl: float) -> Loss:
    """2.2 as DeepSeekMath has it: std, clip, mean over each answer, + kl·k3 against the reference."""

    def loss(batch: Batch, tables: Tables, _: Losses) -> float:
        return seq_mean(per_token(batch, z_scores, lambda step, a: clipped(tables, step, a) + kl * k3(tables, step)))

    return loss


def uft(batch: Batch, tables: Tables, expert: Losses) -> float:
    """2.13: GRPO on completions + .001·mean NLL over hint tokens, those of all four samples."""
    hints = [prefix for _, prefix, _ in samples(batch.groups)]
    nll = sum(expert_sum(expert["nll"], tables, hint) for hint in hints) / sum(map(len, hints))
    return classic_grpo(0.001)(batch, tables, expert) + 0.001 * nll


def bridge_mix(batch: Batch, tables: Tables, expert: Losses) -> float:
    """2.12, the constant mix: (1 - lam) J_SFT + lam J_RL, lam = .5."""
    return 0.5 * supervised("nll")(Batch((), batch.shown), tables, expert) + 0.5 * unclipped(batch, tables, expert)


# ----------------------------------------------------------------------------------------------------------- gradient


def gradient(loss: Loss, batch: Batch, tables: Tables, width: float = 1e-6) -> Table:
    """Central differences of the closed forms in every logit."""

    def moved(row: int, column: int, by: float) -> float:
        free = [list(logits) for logits in tables.free]
        free[row][column] += by
        return loss(batch, replace(tables, free=free), CLOSED)

    size = range(len(tables.free))
    return [[(moved(r, c, width) - moved(r, c, -width)) / (2 * width) for c in size] for r in size]
