"""What every engine promises: token prefixes in, sampled completions out.

Not promised: any order of work, any batching. The seed alone decides a sample's draws, so a sample does not depend on
its company (beyond the rounding of a batched matrix product).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

FinishReason = Literal["stop", "length"]


@dataclass(frozen=True)
class SampleRequest:
    """One sample to draw after `ids`. `order` sorts requests, so that a batch is the same whoever asked first.

    temperature 0 takes the likeliest token.
    """

    ids: tuple[int, ...]
    seed: int
    max_new_tokens: int
    temperature: float = 1.0
    order: tuple[int, ...] = ()


@dataclass(frozen=True)
class Completion:
    """Sampled token ids, the stop token included, and the log-prob of each under the sampling distribution."""

    ids: list[int]
    logps: list[float]
    finish: FinishReason


class Engine(Protocol):
    """Turns requests into completions. After a weight change, `weights_changed()` must be called before the next
    request: no key or value computed with older weights may be used again."""

    async def sample(self, requests: Sequence[SampleRequest]) -> list[Completion]: ...

    def weights_changed(self) -> None: ...
