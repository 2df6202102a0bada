"""Checkpoints beside the training: the loop waits for a copy in host memory only.

A thread writes, hashes, flushes and renames; one checkpoint at a time. The world hears of it from the loop's thread and
after the rename, so whoever is killed in between has a checkpoint that nobody heard of: `Saver.begin` tells it then.
"""

import errno
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from safetensors import SafetensorError

from trapo_core import checkpoint
from trapo_core.checkpoint import Optimizers, Saved, Snapshot, TrainerState
from trapo_core.errors import DiskError
from trapo_core.events import BenchmarkScore, CheckpointSaved, read_events
from trapo_core.model import Policy
from trapo_core.parallel import World
from trapo_core.process import Attempt
from trapo_core.spec import TrainSpec


@dataclass(frozen=True)
class _Written:
    saved: Saved
    bytes: int
    sha256: str


class Saver:
    """Saves what a run's `state` stands for. All processes call the same methods; the first one writes."""

    def __init__(self, run_dir: Path, spec: TrainSpec, state: TrainerState, attempt: Attempt, world: World) -> None:
        self._run_dir, self._spec, self._state, self._attempt = run_dir, spec, state, attempt
        self._world = world
        self._saved_step = 0
        self._memory: Snapshot | None = None
        self._thread = ThreadPoolExecutor(1, "checkpoint")
        self._writing: Future[_Written] | None = None

    def __enter__(self) -> "Saver":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """What is being written is finished and told, however the run ends."""
        try:
            self.settle()
        finally:
            self._thread.shutdown()

    def begin(self, saved: Saved) -> None:
        """Go on from `saved`. A process may die between a deed and its telling: tell a checkpoint that nobody heard of;
        do not repeat an evaluation whose scores were told but not yet noted in the checkpoint."""
        self._saved_step = saved.step
        if scores := self._world.led(lambda: self._catch_up(saved)):
            self.evaluated(scores)

    def _catch_up(self, saved: Saved) -> list[BenchmarkScore]:
        """The scores of this step that were told already."""
        told = read_events(self._run_dir)
        if not any(isinstance(event, CheckpointSaved) and event.step == saved.step for event in told):
            self._tell(_measured(saved))
        return [event for event in told if isinstance(event, BenchmarkScore) and event.step == saved.step]

    def save(self, policy: Policy, optimizers: Optimizers) -> None:
        """Begin to save, if this step is not saved yet. Waits for the checkpoint before. Raises DiskError, here or in
        a later call, where it cannot be written."""
        if self._saved_step == self._state.step:
            return
        self.settle()
        first = self._world.first
        self._memory = checkpoint.snapshot(policy, optimizers, self._state, memory=self._memory, keep=first)
        self._saved_step = self._state.step
        if first:
            self._writing = self._thread.submit(self._write, policy, self._memory)

    def look(self) -> None:
        """Tell a checkpoint that was finished meanwhile, or raise what went wrong with it."""
        if self._writing is not None and self._writing.done():
            self.settle()

    def settle(self) -> None:
        """Wait until all that was saved is on the disk, and told."""
        writing, self._writing = self._writing, None
        if writing is not None:
            self._tell(writing.result())

    def evaluated(self, scores: Sequence[BenchmarkScore]) -> None:
        """Note in this step's checkpoint that its scores are told, and whether it is the best so far."""
        state, best = self._state, self._spec.checkpoints.keep_best
        state.evaluated_step = state.step
        for score in scores:
            compared = best is not None and (score.benchmark, score.metric) == (best.benchmark, best.metric)
            # There is no checkpoint of step 0.
            if compared and state.step and (state.best_step < 0 or score.score > state.best_score):
                state.best_step, state.best_score = state.step, score.score
        if self._world.first:
            checkpoint.update_state(self._run_dir, self._spec, state)

    # ------------------------------------------------------------------------------------------------------------

    def _write(self, policy: Policy, taken: Snapshot) -> _Written:
        try:
            self._attempt.sync()  # a checkpoint must not outlive the events of its steps
            saved = checkpoint.write(self._run_dir, self._spec, policy, taken)
            checkpoint.prune(self._run_dir, self._spec.checkpoints.keep_last, taken.state.best_step)
            return _measured(saved)
        except (OSError, SafetensorError) as error:
            if not _is_full(error):
                raise
            raise DiskError(f"the checkpoint cannot be written: {error}", "Free space, then resume.") from error

    def _tell(self, written: _Written) -> None:
        path = str(written.saved.folder.relative_to(self._run_dir))
        self._attempt.report(
            CheckpointSaved(step=written.saved.step, path=path, bytes=written.bytes, sha256=written.sha256)
        )


def _measured(saved: Saved) -> _Written:
    return _Written(saved, saved.bytes, saved.sha256)


def _is_full(error: OSError | SafetensorError) -> bool:
    """The tensor library tells the system's error number in its text only."""
    full = (errno.ENOSPC, errno.EDQUOT)
    return error.errno in full if isinstance(error, OSError) else any(f"code: {code}," in str(error) for code in full)
