"""From groups to a flat stream of tokens with per-token weights. The trainer knows no method: GRPO, SFT, LUFFY and
TRAPO differ only in the weights that this file writes.

Every mean is taken over the whole batch here, before anything is split, so that summing the loss over micro-batches
in any split gives the same gradient. N: tokens of the stream; only response tokens carry a target.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from trapo_core.group import Group, Rollout
from trapo_core.knobs import Cosine, ExpertTerm, PolicyTerm
from trapo_core.losses import expert_gate, group_advantages, token_norms


@dataclass(frozen=True)
class TokenSequence:
    """One rollout as the trainer sees it: `prompt` tokens of context, `prefix` expert tokens, then its own tokens.

    `policy_weight` multiplies -A·r of each own token, `expert_weights` (one for each expert term) k(p)·log p of each
    expert token, `kl_weight` and `entropy_weight` the divergence of own tokens and the entropy of all; `index` is its
    place in the batch. `old_logps` and `reference_logps` are those of all response tokens, where they are needed.
    """

    index: int
    rollout: Rollout
    ids: list[int]
    prompt: int
    prefix: int
    advantage: float
    policy_weight: float
    expert_weights: list[float]
    sampler_logps: list[float]
    kl_weight: float = 0.0
    entropy_weight: float = 0.0
    old_logps: list[float] | None = None
    reference_logps: list[float] | None = None


def build_sequences(
    groups: Sequence[Group],
    policy: PolicyTerm,
    expert: Sequence[ExpertTerm],
    *,
    max_tokens: int,
    shown: Sequence[Group] = (),
    first_index: int = 0,
) -> list[TokenSequence]:
    """One sequence for each rollout, with the weights of its own and its expert tokens.

    `shown` are groups of whole traces beside the step's own; they do not count in the policy term's means.
    The weights of `policy` and `expert` are numbers here (see `Stage.at`).
    """
    rollouts = [rollout for group in groups for rollout in group.rollouts]
    both = [*groups, *shown]
    every = [rollout for group in both for rollout in group.rollouts]
    tokens = sum(len(rollout.prefix_ids) + len(rollout.completion_ids) for rollout in every)
    means = partial(token_norms, max_tokens=max_tokens, response_tokens=tokens)
    own_norms = means([len(rollout.completion_ids) for rollout in rollouts], policy.norm) if rollouts else []
    own_norms += [0.0] * (len(every) - len(rollouts))
    term_norms = [means([_learned(rollout, term) for rollout in every], term.norm) for term in expert]
    advantages = _all_advantages(both, policy, policy.baseline, policy.std)
    gates = [_all_advantages(both, policy, t.baseline or policy.baseline, t.std or policy.std) for t in expert]
    prompts = [group.problem.prompt_ids for group in both for _ in group.rollouts]
    return [
        TokenSequence(
            index=first_index + i,
            rollout=rollout,
            ids=[*prompts[i], *rollout.prefix_ids, *rollout.completion_ids],
            prompt=len(prompts[i]),
            prefix=len(rollout.prefix_ids),
            advantage=advantages[i],
            policy_weight=_number(policy.weight)
            * own_norms[i]
            * (policy.positive_weight if advantages[i] > 0 else 1.0),
            expert_weights=[
                _number(term.weight) * expert_gate(term.gate, gate[i]) * norms[i] if _learned(rollout, term) else 0.0
                for term, gate, norms in zip(expert, gates, term_norms, strict=True)
            ],
            sampler_logps=rollout.completion_logps,
            kl_weight=_number(policy.weight) * policy.kl * own_norms[i],
            entropy_weight=policy.entropy / tokens if tokens else 0.0,
        )
        for i, rollout in enumerate(every)
    ]


def _all_advantages(groups: Sequence[Group], policy: PolicyTerm, baseline: str, std: str) -> list[float]:
    return [a for group in groups for a in _advantages(group.rollouts, policy, baseline, std)]


def _advantages(rollouts: Sequence[Rollout], policy: PolicyTerm, baseline: str, std: str) -> list[float]:
    low, high = policy.reward_range
    advantages: list[float] = group_advantages(
        [low + (high - low) * rollout.reward for rollout in rollouts],
        baseline,
        std,
        guided=[rollout.guided for rollout in rollouts],
        full=[rollout.full for rollout in rollouts],
        slots=[rollout.slot for rollout in rollouts],
    ).tolist()
    return advantages


def _number(weight: "float | Cosine") -> float:
    assert isinstance(weight, float), "resolve curves first"
    return weight


def _learned(rollout: Rollout, term: ExpertTerm) -> int:
    """How many expert tokens of this rollout the term learns; copies of a prefix in a slot count once with dedupe."""
    return 0 if term.mask == "dedupe" and rollout.copy > 0 else len(rollout.prefix_ids)
