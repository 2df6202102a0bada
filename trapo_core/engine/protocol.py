"""What every engine promises: token prefixes in, sampled completions out, some at every step.

Not promised: any order of work, any batching. The seed alone decides a sample's draws, so a sample does not depend on
its company (beyond the rounding of a batched matrix product). An engine's work is a function of the calls alone, never
of the clock: the same calls give the same bits.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

FinishReason = Literal["stop", "length"]
# Names a request and orders requests, so that a batch is the same whoever asked first.
Key = tuple[int, ...]


@dataclass(frozen=True)
class SampleRequest:
    """One sample to draw after `ids`; temperature 0 takes the likeliest token.

    Requests of one `family` begin alike (a problem's prompt, then perhaps a prefix); what they share is computed once.
    A `speculative` request gives way to all others.
    """

    ids: tuple[int, ...]
    seed: int
    max_new_tokens: int
    temperature: float = 1.0
    family: Hashable = None
    speculative: bool = False


@dataclass(frozen=True)
class Completion:
    """Sampled token ids, the stop token included, and the log-prob of each under the sampling distribution."""

    ids: list[int]
    logps: list[float]
    finish: FinishReason


@dataclass
class Work:
    """What an engine has done so far. `decode_passes`: forward passes that give each running sample one token."""

    decode_passes: int = 0
    prefill_passes: int = 0
    prefill_tokens: int = 0
    sampled_tokens: int = 0

    def since(self, earlier: "Work") -> "Work":
        return Work(**{name: value - getattr(earlier, name) for name, value in vars(self).items()})

    @classmethod
    def total(cls, parts: Sequence["Work"]) -> "Work":
        return cls(**{name: sum(getattr(part, name) for part in parts) for name in vars(cls())})


class Engine(Protocol):
    """Turns requests into completions. After a weight change `weights_changed()` must be called before the next
    request: no key or value computed with older weights may be used again."""

    work: Work

    def submit(self, key: Key, request: SampleRequest) -> None:
        """Ask for one sample; `key` is new to the engine."""

    def confirm(self, key: Key) -> None:
        """A speculative request is wanted for certain now."""

    def cancel(self, key: Key) -> None:
        """No longer wanted, waiting or running; no completion will come."""

    def step(self) -> list[tuple[Key, Completion]]:
        """Do some work and return what was completed by it; nothing if nothing is wanted.

        Raises NonFiniteError if the model's logits are not finite; then all requests are forgotten.
        """

    def weights_changed(self) -> None:
        """Forget everything computed with the weights so far. Nothing may be waiting or running."""

    def close(self) -> None:
        """Let go of memory and processes."""


def complete(engine: Engine, requests: Sequence[SampleRequest]) -> list[Completion]:
    """All completions, in the order of `requests`."""
    for index, request in enumerate(requests):
        engine.submit((index,), request)
    done: dict[Key, Completion] = {}
    while len(done) < len(requests):
        done.update(engine.step())
    return [done[index,] for index in range(len(requests))]
