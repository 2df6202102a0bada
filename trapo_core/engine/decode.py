"""One decode step: a token read for each running sample.

On a CUDA device the step is recorded as a graph and replayed: a small model's pass costs more in starting its kernels
than in running them. A graph has fixed shapes and addresses, so one is recorded for each rounded number of rows and
width, and its inputs are copied into its own buffers. The weights are read where they lie: optimizers change them in
place, so a graph outlives a step.
"""

import logging
from collections.abc import Callable

import torch
from torch import Tensor

from trapo_core.engine.rows import Rows
from trapo_core.model import Policy

log = logging.getLogger(__name__)

WIDTH_STEP = 256  # widths of graphs; the mask hides what is too much
# A replay may differ from the pass that it was recorded from by so much, relative to the largest state: the kernels
# are the same ones.
GAP = 1e-3

Pass = Callable[[], Tensor]
Recorder = Callable[[Pass], Pass]  # a pass over fixed buffers, to one that does the same again
Recorded = Callable[[Tensor, Tensor], Tensor]


class Decoder:
    """The hidden states of the next token, for samples that lie in `rows`."""

    def __init__(self, policy: Policy, rows: Rows, record: Recorder | None = None) -> None:
        self._policy = policy
        self._rows = rows
        self._record = cuda_graphs() if record is None and policy.device.type == "cuda" else record
        self._recorded: dict[tuple[int, int], Recorded] = {}

    def __call__(self, ids_B_1: Tensor, positions_B_1: Tensor, width: int) -> Tensor:
        """hidden_B_D after `ids_B_1` at `positions_B_1` in the first B rows, which sees up to `width` positions."""
        if self._record is None:
            return decode(self._policy, self._rows, ids_B_1, positions_B_1, width)
        shape = self._rounded(len(ids_B_1), width)
        if shape not in self._recorded:
            try:
                self._recorded[shape] = _recording(
                    self._record, self._policy, self._rows, shape, ids_B_1, positions_B_1
                )
            except RuntimeError as error:
                log.warning("decoding goes on without recorded graphs, more slowly: %s", error)
                self._record = None
                self._recorded.clear()
                return decode(self._policy, self._rows, ids_B_1, positions_B_1, width)
        return self._recorded[shape](ids_B_1, positions_B_1)

    def _rounded(self, count: int, width: int) -> tuple[int, int]:
        """Rows to the next power of two, widths to the next step, within what there is."""
        width = -(-width // WIDTH_STEP) * WIDTH_STEP
        return min(1 << (count - 1).bit_length(), self._rows.rows), min(width, self._rows.length)


def decode(policy: Policy, rows: Rows, ids_B_1: Tensor, positions_B_1: Tensor, width: int) -> Tensor:
    """hidden_B_D by one forward pass."""
    mask = rows.point(positions_B_1, width)
    return policy.hidden(ids_B_1, positions_B_1, mask, rows)[:, -1]


def _recording(
    record: Recorder, policy: Policy, rows: Rows, shape: tuple[int, int], ids_B_1: Tensor, positions_B_1: Tensor
) -> Recorded:
    """The pass of a shape (rows, width) over buffers of its own. Recording computes it with the inputs of now, which
    writes what has to be written anyway; rows beyond those that run are free, so a write there harms nobody."""
    count, width = shape
    ids_R_1 = torch.zeros(count, 1, dtype=torch.long, device=policy.device)
    positions_R_1 = torch.zeros_like(ids_R_1)

    def fill(ids_B_1: Tensor, positions_B_1: Tensor) -> None:
        ids_R_1[: len(ids_B_1)], positions_R_1[: len(ids_B_1)] = ids_B_1, positions_B_1

    def run() -> Tensor:
        # Without autocast's memory of cast weights: it would be recorded by address, and is gone after the step.
        cast = policy.dtype != torch.float32
        with torch.autocast(policy.device.type, policy.dtype, enabled=cast, cache_enabled=False):
            return decode(policy, rows, ids_R_1, positions_R_1, width)

    def replay(ids_B_1: Tensor, positions_B_1: Tensor) -> Tensor:
        fill(ids_B_1, positions_B_1)
        return recorded()[: len(ids_B_1)]

    fill(ids_B_1, positions_B_1)
    recorded = record(run)
    return replay


def cuda_graphs() -> Recorder:
    """Records CUDA graphs that share their memory. Raises RuntimeError for a pass that cannot be recorded, or whose
    graph does not repeat it."""
    pool = torch.cuda.graph_pool_handle()

    def record(run: Pass) -> Pass:
        aside = torch.cuda.Stream()
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):  # libraries set themselves up in a first pass, which must not be recorded
            expected_R_D = run().clone()
        torch.cuda.current_stream().wait_stream(aside)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=pool):
            out_R_D = run()

        def replay() -> Tensor:
            graph.replay()
            return out_R_D

        gap, bound = (replay() - expected_R_D).abs().max().item(), GAP * expected_R_D.abs().max().item()
        if not gap <= bound:
            raise RuntimeError(f"a replay is {gap:.2g} off the pass it repeats (allowed: {bound:.2g})")
        return replay

    return record
