"""The packed stream: sequences end to end in micro-batches of bounded size, what they share computed once.

The sequences of a problem begin with its prompt, and some go on with nested expert prefixes. Such common beginnings
stand in the stream once (`attention.Segments`); each sequence reads its log-probs there as if they were its own.
"""

from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from trapo_core.attention import Segments
from trapo_core.batch import TokenSequence
from trapo_core.parallel import ALONE, World

BLANK = -1  # the index of a sequence that nobody learns from


@dataclass(frozen=True)
class MicroBatch:
    """One packed stream of N tokens and, flat over the targets M of all sequences, what the loss needs.

    `sequence_M` is the index of the target's sequence; `place_M` says where in the stream its log-prob is read: at the
    token before it. Columns that are None are not needed.
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


def split(
    sequences: Sequence[TokenSequence], *, tokens_per_microbatch: int, temperature: float, world: World = ALONE
) -> Iterator[MicroBatch]:
    """This process's micro-batches of at most `tokens_per_microbatch` tokens (or one longer sequence), nearly all full.

    Reading one is a collective act where weights are sharded, so all processes have the same number of them: whoever
    has one less ends with a blank.
    """
    units = list(_units(sequences, tokens_per_microbatch))
    bins = pack([unit.tokens for unit in units], tokens_per_microbatch)
    mine = world.share(bins)
    for members in mine:
        yield collate([sequence for index in members for sequence in units[index].members], temperature=temperature)
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
    sizes = [unit.tokens for unit in _units(sequences, tokens_per_microbatch)]
    loads = [sum(sizes[index] for index in members) for members in pack(sizes, tokens_per_microbatch)][:-1]
    return sum(loads) / sum(max(load, tokens_per_microbatch) for load in loads) if loads else 1.0


@dataclass
class _Unit:
    """Sequences with the same prompt that go into one micro-batch together; `tokens`: what they take in the stream."""

    members: list[TokenSequence]
    tokens: int


def _units(sequences: Sequence[TokenSequence], capacity: int) -> Iterator[_Unit]:
    """The sequences by prompt, in order of first sight; a unit that exceeds the capacity is cut."""
    by_prompt: dict[tuple[int, ...], list[TokenSequence]] = {}
    for sequence in sequences:
        by_prompt.setdefault(tuple(sequence.ids[: sequence.prompt]), []).append(sequence)
    for prompt, members in by_prompt.items():
        unit, shared = _Unit([], len(prompt)), _Prefixes()
        for sequence in sorted(members, key=lambda one: (one.prefix, one.index)):
            more = shared.add(sequence) + len(sequence.ids) - sequence.prompt - sequence.prefix
            if unit.members and unit.tokens + more > capacity:
                yield unit
                unit, shared = _Unit([], len(prompt)), _Prefixes()
                more = shared.add(sequence) + len(sequence.ids) - sequence.prompt - sequence.prefix
            unit.members.append(sequence)
            unit.tokens += more
        yield unit


class _Prefixes:
    """The expert prefixes of one prompt: each goes on from the longest one before it that it begins with."""

    def __init__(self) -> None:
        self._known: list[list[int]] = []

    def add(self, sequence: TokenSequence) -> int:
        """How many tokens of the prefix are new."""
        prefix = sequence.ids[sequence.prompt : sequence.prompt + sequence.prefix]
        common = max((len(known) for known in self._known if prefix[: len(known)] == known), default=0)
        if len(prefix) > common:
            self._known.append(prefix)
        return len(prefix) - common


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


class _Stream:
    """The tokens of a micro-batch with their segments, as sequences are laid into it."""

    def __init__(self) -> None:
        self.ids: list[int] = []
        self.lengths: list[int] = []
        self.parents: list[int | None] = []
        # What others may go on from: (prompt, prefix) -> (segment, places of all its tokens in the stream).
        self._nodes: dict[tuple[tuple[int, ...], tuple[int, ...]], tuple[int, Tensor]] = {}

    def add(self, sequence: TokenSequence) -> Tensor:
        """The places of the sequence's tokens in the stream."""
        prompt = tuple(sequence.ids[: sequence.prompt])
        prefix = tuple(sequence.ids[sequence.prompt : sequence.prompt + sequence.prefix])
        node, places = self._node(prompt, prefix)
        own = sequence.ids[sequence.prompt + sequence.prefix :]
        return torch.cat([places, self._append(own, node)]) if own else places

    def _node(self, prompt: tuple[int, ...], prefix: tuple[int, ...]) -> tuple[int, Tensor]:
        if (prompt, prefix) in self._nodes:
            return self._nodes[prompt, prefix]
        if not prefix:
            places = self._append(prompt, None)
        else:
            known = [p for q, p in self._nodes if q == prompt and prefix[: len(p)] == p] or [()]
            longest = max(known, key=len)
            parent, before = self._node(prompt, longest)
            places = torch.cat([before, self._append(prefix[len(longest) :], parent)])
        self._nodes[prompt, prefix] = (len(self.lengths) - 1, places)
        return self._nodes[prompt, prefix]

    def _append(self, tokens: Sequence[int], parent: int | None) -> Tensor:
        begin = len(self.ids)
        self.ids += tokens
        self.lengths.append(len(tokens))
        self.parents.append(parent)
        return torch.arange(begin, len(self.ids))


def collate(sequences: Sequence[TokenSequence], *, temperature: float) -> MicroBatch:
    """The sequences in one stream, and flat targets with their weights."""
    stream = _Stream()
    places = {}
    # Short prefixes first: longer ones go on from them.
    for place in sorted(range(len(sequences)), key=lambda i: sequences[i].prefix):
        places[place] = stream.add(sequences[place])
    ids_N = torch.tensor(stream.ids)
    prefixes_S = torch.tensor([sequence.prefix for sequence in sequences])
    targets_S = torch.tensor([len(sequence.ids) - sequence.prompt for sequence in sequences])
    member_M = torch.repeat_interleave(targets_S)  # each target's sequence, by its place among those given
    response_place_M = torch.arange(len(member_M)) - (targets_S.cumsum(0) - targets_S)[member_M]
    own_M = response_place_M >= prefixes_S[member_M]

    def spread(values: Iterable[float]) -> Tensor:
        return torch.tensor(list(values), dtype=torch.float32)[member_M]

    sampler_logps_M = torch.zeros(len(member_M))
    sampler_logps_M[own_M] = torch.tensor([logp for sequence in sequences for logp in sequence.sampler_logps])
    expert = [spread(weights) * ~own_M for weights in zip(*(s.expert_weights for s in sequences), strict=True)]
    return MicroBatch(
        ids_N=ids_N,
        segments=Segments.of(stream.lengths, stream.parents),
        sequence_M=torch.tensor([sequence.index for sequence in sequences])[member_M],
        place_M=torch.cat([places[i][s.prompt - 1 : -1] for i, s in enumerate(sequences)]),
        targets_M=torch.tensor([token for sequence in sequences for token in sequence.ids[sequence.prompt :]]),
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
