"""What samples of one problem share: keys and values of its prompt and of nested expert prefixes, computed once.

A stem is a computed run of tokens. A request that is a beginning of it costs nothing, one that goes on from it only
the rest. Stems hold for one state of the weights.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from trapo_core.engine.protocol import SampleRequest, Work
from trapo_core.engine.rows import Rows
from trapo_core.model import Policy

Ids = tuple[int, ...]
# Bounds, in tokens, on what is kept and on what one forward pass computes.
KEPT_TOKENS = 262_144
PASS_TOKENS = 16_384


@dataclass
class Stem:
    """Tokens, their keys and values (2 × layers × H × tokens × D), and the hidden states after some of them, by
    length: there requests end and sampling begins."""

    ids: Ids
    states: Tensor
    ends_D: dict[int, Tensor]


@dataclass
class _Chain:
    """A run of tokens to compute from `start` on; `lengths` are the requests' ends in it."""

    family: Hashable
    ids: Ids
    lengths: list[int]
    base: Stem | None
    start: int


class Stems:
    """The stems of all families. Which are there never changes a sample, only the work."""

    def __init__(self, policy: Policy, work: Work) -> None:
        self._policy = policy
        self._work = work
        self._kept: dict[Hashable, list[Stem]] = {}

    def clear(self) -> None:
        self._kept.clear()

    def enter(self, requests: Sequence[SampleRequest], rows: Rows, first: int) -> Tensor:
        """Fill row `first` + i with request i; the hidden states B×D after the last token of each."""
        families: dict[Hashable, dict[Ids, list[int]]] = {}
        for place, request in enumerate(requests):
            family = request.ids if request.family is None else request.family
            families.setdefault(family, {}).setdefault(request.ids, []).append(place)
        while chains := [chain for family, asked in families.items() for chain in self._chains(family, asked)]:
            for part in _passes(chains):
                self._compute(part)
        ends: list[Tensor | None] = [None] * len(requests)
        for family, asked in families.items():
            for ids, places in asked.items():
                stem = self._find(family, ids)
                assert stem is not None
                rows.write([first + place for place in places], stem.states[:, :, :, : len(ids)])
                for place in places:
                    ends[place] = stem.ends_D[len(ids)]
        self._forget()
        return torch.stack([end for end in ends if end is not None])

    def _find(self, family: Hashable, ids: Ids) -> Stem | None:
        """A stem that begins with `ids` and knows the hidden state after them."""
        stems = self._kept.get(family, [])
        return next((s for s in stems if len(ids) in s.ends_D and s.ids[: len(ids)] == ids), None)

    def _chains(self, family: Hashable, asked: dict[Ids, list[int]]) -> list[_Chain]:
        """What has to be computed now: the longest of the runs asked for, each with those that are its beginnings. Of
        runs that part from each other, one; the others go on from it when it is computed."""
        chains: list[_Chain] = []
        for ids in sorted(asked, key=len, reverse=True):
            if self._find(family, ids) is not None:
                continue
            owner = next((chain for chain in chains if chain.ids[: len(ids)] == ids), None)
            if owner is None:
                base, common = self._longest_common(family, ids)
                if any(shared_beginning(chain.ids, ids) > common for chain in chains):
                    continue
                owner = _Chain(family, ids, [], base, common)
                chains.append(owner)
            owner.lengths.append(len(ids))
            # The hidden state after the last token is wanted too, so that token is computed in any case.
            owner.start = min(owner.start, len(ids) - 1)
        return chains

    def _longest_common(self, family: Hashable, ids: Ids) -> tuple[Stem | None, int]:
        best, common = None, 0
        for stem in self._kept.get(family, []):
            if (shared := shared_beginning(stem.ids, ids)) > common:
                best, common = stem, shared
        return best, common

    def _compute(self, chains: Sequence[_Chain]) -> None:
        """One forward pass over the new tokens of all chains, padded on the right."""
        policy = self._policy
        width = max(len(chain.ids) for chain in chains)
        new = max(len(chain.ids) - chain.start for chain in chains)
        # Padding is written behind the end of every chain, where nothing ever looks.
        scratch = Rows(policy.model.config, len(chains), width + new, dtype=policy.dtype, device=policy.device)
        ids_B_T = torch.zeros(len(chains), new, dtype=torch.long)
        for row, chain in enumerate(chains):
            if chain.base is not None:
                scratch.write([row], chain.base.states[:, :, :, : chain.start])
            fresh = chain.ids[chain.start :]
            ids_B_T[row, : len(fresh)] = torch.tensor(fresh)
        starts_B_1 = torch.tensor([[chain.start] for chain in chains])
        positions_B_T = (starts_B_1 + torch.arange(new)).to(policy.device)
        mask = scratch.point(positions_B_T, width)
        hidden_B_T_D = policy.hidden(ids_B_T.to(policy.device), positions_B_T, mask, scratch)
        self._work.prefill_passes += 1
        self._work.prefill_tokens += sum(len(chain.ids) - chain.start for chain in chains)
        for row, chain in enumerate(chains):
            ends_D = {length: hidden_B_T_D[row, length - 1 - chain.start].clone() for length in chain.lengths}
            self._keep(chain.family, Stem(chain.ids, scratch.read(row, len(chain.ids)), ends_D))

    def _keep(self, family: Hashable, stem: Stem) -> None:
        """A stem replaces those that are its beginnings, and takes over what they know."""
        others = []
        for old in self._kept.pop(family, []):
            if stem.ids[: len(old.ids)] == old.ids:
                stem.ends_D = {**old.ends_D, **stem.ends_D}
            else:
                others.append(old)
        self._kept[family] = [*others, stem]

    def _forget(self) -> None:
        """Let go of the families that were extended longest ago, beyond the bound."""
        total = sum(len(stem.ids) for stems in self._kept.values() for stem in stems)
        for family in list(self._kept):
            if total <= KEPT_TOKENS:
                return
            total -= sum(len(stem.ids) for stem in self._kept.pop(family))


def _passes(chains: list[_Chain]) -> list[list[_Chain]]:
    """Chains of similar size together, so that little is padded."""
    passes: list[list[_Chain]] = []
    for chain in sorted(chains, key=lambda c: (len(c.ids) - c.start, len(c.ids))):
        if passes and (len(passes[-1]) + 1) * (len(chain.ids) - chain.start) <= PASS_TOKENS:
            passes[-1].append(chain)
        else:
            passes.append([chain])
    return passes


def shared_beginning(one: Ids, other: Ids) -> int:
    """Length of the common beginning."""
    limit = min(len(one), len(other))
    if one[:limit] == other[:limit]:
        return limit
    return next(place for place in range(limit) if one[place] != other[place])
