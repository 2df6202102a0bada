"""The default engine: samples enter and leave the running batch at any step, with the policy's own weights.

Each running sample has a row of keys and values (`rows.py`), rows 0 to n-1 without holes. What the samples of a problem
share, its prompt and nested expert prefixes, is computed once (`stems.py`) and copied into their rows.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from heapq import heappop, heappush

import torch
from torch import Tensor

from trapo_core.engine.decode import Decoder, Recorder
from trapo_core.engine.generate import draw_tokens, uniform_draws
from trapo_core.engine.protocol import Completion, Key, SampleRequest, Work
from trapo_core.engine.rows import Rows
from trapo_core.engine.stems import Stems
from trapo_core.errors import NonFiniteError
from trapo_core.model import Policy

LENGTH_STEP = 64  # the cache grows in such steps, so that it seldom does


@dataclass
class _Sample:
    """A sample in its row; `ids[-1]` is drawn but not yet read by the model."""

    key: Key
    request: SampleRequest
    draws: Iterator[float]
    ids: list[int] = field(default_factory=list)
    logps: list[float] = field(default_factory=list)

    @property
    def length(self) -> int:
        """Positions of its row that are filled."""
        return len(self.request.ids) + len(self.ids) - 1


class BatchingEngine:
    """Up to `batch_size` samples run at once; the others wait, speculative ones behind all others."""

    def __init__(self, policy: Policy, batch_size: int = 256, record: Recorder | None = None) -> None:
        """`record` records decode steps; CUDA graphs by default on a CUDA device, nothing elsewhere."""
        self.work = Work()
        self._policy = policy
        self._record = record
        self._batch_size = batch_size
        self._waiting: dict[Key, SampleRequest] = {}
        self._queue: list[tuple[bool, Key]] = []  # a heap of who waits; entries may be out of date
        self._running: list[_Sample] = []  # the index is the row
        self._rows: Rows | None = None
        self._decoder: Decoder | None = None  # belongs to the rows
        self._stems = Stems(policy, self.work)

    def submit(self, key: Key, request: SampleRequest) -> None:
        self._wait(key, request)

    def _wait(self, key: Key, request: SampleRequest) -> None:
        self._waiting[key] = request
        heappush(self._queue, (request.speculative, key))

    def confirm(self, key: Key) -> None:
        if key in self._waiting:
            self._wait(key, replace(self._waiting[key], speculative=False))
        for sample in self._running:
            if sample.key == key:
                sample.request = replace(sample.request, speculative=False)

    @torch.inference_mode()  # the rows are made in this mode, and could not be moved outside it
    def cancel(self, key: Key) -> None:
        self._waiting.pop(key, None)
        for row, sample in enumerate(self._running):
            if sample.key == key:
                self._free(row)
                break

    def step(self) -> list[tuple[Key, Completion]]:
        """Let waiting samples in, and give every running one a token."""
        try:
            with torch.inference_mode(), self._policy.autocast():
                entered = self._admit()
                return entered + self._decode()
        except NonFiniteError:
            self._waiting.clear()
            self._queue.clear()
            self._running.clear()
            self.close()  # what is not finite must not stay in memory: a mask hides it from no sum
            raise

    def weights_changed(self) -> None:
        assert not (self._waiting or self._running), "the weights changed under running samples"
        self._stems.clear()

    def close(self) -> None:
        self._stems.clear()
        self._rows = self._decoder = None

    # -------------------------------------------------------------------------------------------------- coming in

    def _admit(self) -> list[tuple[Key, Completion]]:
        """Fill free rows; samples that need no more than their first token are complete at once."""
        chosen = self._choose()
        if not chosen:
            return []
        requests = list(chosen.values())
        first = len(self._running)
        self._make_room(max(len(request.ids) + request.max_new_tokens for request in requests))
        assert self._rows is not None
        ends_B_D = self._stems.enter(requests, self._rows, first)
        self._running += [
            _Sample(key, request, uniform_draws(request.seed)) for key, request in zip(chosen, requests, strict=True)
        ]
        return self._draw(first, ends_B_D)

    def _choose(self) -> dict[Key, SampleRequest]:
        """Who comes in now, in order; speculative samples leave the batch if others need their rows."""
        chosen: dict[Key, SampleRequest] = {}
        while self._queue:
            speculative, key = self._queue[0]
            if key not in self._waiting or self._waiting[key].speculative != speculative:
                heappop(self._queue)
                continue
            if len(self._running) + len(chosen) >= self._batch_size and (speculative or not self._make_way()):
                break
            heappop(self._queue)
            chosen[key] = self._waiting.pop(key)
        return chosen

    def _make_way(self) -> bool:
        """Send the last speculative sample back to the queue, if there is one."""
        for row in reversed(range(len(self._running))):
            if (sample := self._running[row]).request.speculative:
                self._free(row)
                self._wait(sample.key, sample.request)
                return True
        return False

    def _make_room(self, length: int) -> None:
        """A cache of enough rows and positions; what runs is kept."""
        old = self._rows
        if old is not None and length <= old.length:
            return
        if not self._running:  # before there are two of them
            old = self._rows = self._decoder = None
        policy = self._policy
        length = -(-length // LENGTH_STEP) * LENGTH_STEP
        self._rows = Rows(policy.model.config, self._batch_size, length, dtype=policy.dtype, device=policy.device)
        self._decoder = Decoder(policy, self._rows, self._record)
        if old is not None:
            count = len(self._running)
            self._rows.store[:, :, :count, :, : old.length] = old.store[:, :, :count]

    # ---------------------------------------------------------------------------------------------------- going on

    def _decode(self) -> list[tuple[Key, Completion]]:
        if not self._running:
            return []
        assert self._decoder is not None
        device = self._policy.device
        ids_B_1 = torch.tensor([sample.ids[-1:] for sample in self._running], device=device)
        positions_B_1 = torch.tensor([[sample.length] for sample in self._running], device=device)
        width = max(sample.length for sample in self._running) + 1
        hidden_B_D = self._decoder(ids_B_1, positions_B_1, width)
        self.work.decode_passes += 1
        return self._draw(0, hidden_B_D)

    def _draw(self, first: int, hidden_B_D: Tensor) -> list[tuple[Key, Completion]]:
        """The next token of the samples from row `first` on; the completed ones leave."""
        samples = self._running[first:]
        device = self._policy.device
        temperature_B = torch.tensor([sample.request.temperature for sample in samples], device=device)
        draw_B = torch.tensor([next(sample.draws) for sample in samples], dtype=torch.float64, device=device)
        token_B, logp_B = draw_tokens(self._policy.logits(hidden_B_D).float(), temperature_B, draw_B)
        self.work.sampled_tokens += len(samples)
        done = []
        for sample, token, logp in zip(samples, token_B.tolist(), logp_B.tolist(), strict=True):
            sample.ids.append(token)
            sample.logps.append(logp)
            if token in self._policy.stop_ids:
                done.append((sample.key, Completion(sample.ids, sample.logps, "stop")))
            elif len(sample.ids) == sample.request.max_new_tokens:
                done.append((sample.key, Completion(sample.ids, sample.logps, "length")))
        self._leave({key for key, _ in done})
        return done

    def _leave(self, keys: set[Key]) -> None:
        for row in reversed(range(len(self._running))):
            if self._running[row].key in keys:
                self._free(row)

    def _free(self, row: int) -> None:
        """Close the hole with the last row."""
        last = self._running.pop()
        if row < len(self._running):
            assert self._rows is not None
            self._rows.move(len(self._running), row, last.length)
            self._running[row] = last
