"""From groups to a flat stream of tokens with per-token weights. The trainer knows no method: GRPO, SFT, LUFFY and
TRAPO differ only in the weights that this file writes.

Every mean is taken over the whole batch here, before anything is split, so that summing the loss over micro-batches
in any split gives the same gradient. N: tokens of the stream; only response tokens carry a target.
"""

from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor

from trapo_core.attention import Segments
from trapo_core.group import Group, Rollout
from trapo_core.knobs import Cosine, ExpertTerm, PolicyTerm
from trapo_core.losses import expert_gate, group_advantages, token_norms
from trapo_core.parallel import ALONE, World

BLANK = -1  # the index of a sequence that nobody learns from


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


@dataclass(frozen=True)
class MicroBatch:
    """One packed stream of N tokens and, flat over all its targets M in stream order, what the loss needs.

    `sequence_M` is the index of the target's sequence; `place_M` says where in the stream its log-prob is read: at the
    token before it.
    """

    ids_N: Tensor
    segments: Segments
    sequence_M: Tensor
    place_M: Tensor
    targets_M: Tensor
    temperature_M: Tensor
    own_M: Tensor
    advantage_M: Tensor
    policy_M: Tensor
    expert_K_M: Tensor
    kl_M: Tensor
    entropy_M: Tensor
    sampler_logps_M: Tensor
    old_logps_M: Tensor | None
    reference_logps_M: Tensor | None

    def to(self, device: torch.device) -> "MicroBatch":
        moved = {name: value.to(device) for name, value in vars(self).items() if value is not None}
        return replace(self, **moved)


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


def split(
    sequences: Sequence[TokenSequence], *, tokens_per_microbatch: int, temperature: float, world: World = ALONE
) -> Iterator[MicroBatch]:
    """This process's micro-batches of at most `tokens_per_microbatch` tokens (or one longer sequence), nearly all full.

    Reading one is a collective act where weights are sharded, so all processes have the same number of them: whoever
    has one less ends with a blank.
    """
    bins = pack([len(sequence.ids) for sequence in sequences], tokens_per_microbatch)
    mine = world.share(bins)
    for members in mine:
        yield collate([sequences[index] for index in members], temperature=temperature)
    if len(mine) * world.size < len(bins):
        yield collate([blank(sequences)], temperature=temperature)


def blank(sequences: Sequence[TokenSequence]) -> TokenSequence:
    """The shortest of them without any weight, at place -1: it costs a pass and adds nothing."""
    shortest = min(sequences, key=lambda sequence: len(sequence.ids))
    expert_weights = [0.0] * len(shortest.expert_weights)
    return replace(
        shortest, index=BLANK, policy_weight=0.0, expert_weights=expert_weights, kl_weight=0.0, entropy_weight=0.0
    )


def packing_fill(sequences: Sequence[TokenSequence], *, tokens_per_microbatch: int) -> float:
    """Tokens over budgeted tokens of all micro-batches of `split` but the last, which takes what is left; 1 where it
    is the only one. A sequence beyond the budget fills its micro-batch."""
    lengths = [len(sequence.ids) for sequence in sequences]
    loads = [sum(lengths[index] for index in members) for members in pack(lengths, tokens_per_microbatch)][:-1]
    return sum(loads) / sum(max(load, tokens_per_microbatch) for load in loads) if loads else 1.0


def pack(lengths: Sequence[int], capacity: int) -> list[list[int]]:
    """Indices by bin, best-fit decreasing: the longest first, each into the fullest bin that still has room.

    A length above the capacity gets a bin of its own. Ties go by index, so that equal lengths pack equally.
    """
    bins: list[list[int]] = []
    room: list[tuple[int, int]] = []  # (tokens left, bin), ascending
    for index in sorted(range(len(lengths)), key=lambda i: -lengths[i]):
        at = bisect_left(room, (lengths[index], 0))
        if at < len(room):
            left, number = room.pop(at)
        else:
            left, number = capacity, len(bins)
            bins.append([])
        bins[number].append(index)
        insort(room, (left - lengths[index], number))
    return bins


def collate(sequences: Sequence[TokenSequence], *, temperature: float) -> MicroBatch:
    """The sequences end to end, and flat targets with their weights."""
    ids_N = torch.tensor([token for sequence in sequences for token in sequence.ids])
    lengths_S = torch.tensor([len(sequence.ids) for sequence in sequences])
    prompts_S = torch.tensor([sequence.prompt for sequence in sequences])
    targets_S = lengths_S - prompts_S
    member_M = torch.repeat_interleave(targets_S)  # each target's sequence, by its place among those given
    place_in_response_M = torch.arange(len(member_M)) - (targets_S.cumsum(0) - targets_S)[member_M]
    place_M = (lengths_S.cumsum(0) - targets_S - 1)[member_M] + place_in_response_M
    own_M = place_in_response_M >= torch.tensor([sequence.prefix for sequence in sequences])[member_M]

    def spread(values: Iterable[float]) -> Tensor:
        return torch.tensor(list(values), dtype=torch.float32)[member_M]

    sampler_logps_M = torch.zeros(len(member_M))
    sampler_logps_M[own_M] = torch.tensor([logp for sequence in sequences for logp in sequence.sampler_logps])
    expert = [spread(weights) * ~own_M for weights in zip(*(s.expert_weights for s in sequences), strict=True)]
    return MicroBatch(
        ids_N=ids_N,
        segments=Segments.of(lengths_S.tolist()),
        sequence_M=torch.tensor([sequence.index for sequence in sequences])[member_M],
        place_M=place_M,
        targets_M=ids_N[place_M + 1],
        # Expert tokens are learned at temperature 1 whatever the sampler's is.
        temperature_M=torch.where(own_M, temperature, 1.0),
        own_M=own_M,
        advantage_M=spread(sequence.advantage for sequence in sequences),
        policy_M=spread(sequence.policy_weight for sequence in sequences) * own_M,
        expert_K_M=torch.stack(expert) if expert else torch.zeros(0, len(member_M)),
        kl_M=spread(sequence.kl_weight for sequence in sequences) * own_M,
        entropy_M=spread(sequence.entropy_weight for sequence in sequences),
        sampler_logps_M=sampler_logps_M,
        old_logps_M=_joined([sequence.old_logps for sequence in sequences]),
        reference_logps_M=_joined([sequence.reference_logps for sequence in sequences]),
    )


def _joined(logps: Sequence[list[float] | None]) -> Tensor | None:
    known = [logp for part in logps if part is not None for logp in part]
    return torch.tensor(known) if known else None


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
