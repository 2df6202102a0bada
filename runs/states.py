"""States of a run, the reasons it can end with, and which moves are legal. Pure rules; `transitions.py` applies them.

Adding a reason is adding a row: what becomes of the run, what another attempt costs, and one line of advice.
"""

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """What a run is. What a user asked for is `Desired`, a wish that the worker acts on."""

    queued = "queued"  # waits for a worker
    starting = "starting"  # a worker holds it; its process has not spoken yet
    running = "running"  # its process has spoken
    succeeded = "succeeded"
    failed = "failed"
    cancelled = "cancelled"
    paused = "paused"  # keeps its checkpoints and waits for `resume`


class Desired(StrEnum):
    run = "run"
    pause = "pause"
    cancel = "cancel"


ACTIVE = frozenset({State.starting, State.running})
FINAL = frozenset({State.succeeded, State.failed, State.cancelled})

MOVES: dict[State, frozenset[State]] = {
    State.queued: frozenset({State.starting, State.paused, State.cancelled}),
    State.starting: frozenset(
        {State.running, State.succeeded, State.failed, State.cancelled, State.paused, State.queued}
    ),
    State.running: frozenset({State.succeeded, State.failed, State.cancelled, State.paused, State.queued}),
    State.paused: frozenset({State.queued, State.cancelled}),
    State.failed: frozenset({State.queued}),
    State.succeeded: frozenset(),
    State.cancelled: frozenset({State.queued}),
}


@dataclass(frozen=True)
class Reason:
    """Why an attempt ended. `retryable` ones go back to the queue while the retry budget lasts.

    `cost` is what such an attempt takes from the budget; `crash`: the run itself fell, so twice as much unless it left
    a new checkpoint.
    """

    state: State
    retryable: bool
    advice: str
    cost: int = 0
    crash: bool = False


def _failed(advice: str) -> Reason:
    return Reason(State.failed, False, advice)


def _retried(advice: str, cost: int = 1, crash: bool = False) -> Reason:
    return Reason(State.queued, True, advice, cost, crash)


REASONS: dict[str, Reason] = {
    "user_cancelled": Reason(State.cancelled, False, "Cancelled on request; its checkpoints are kept."),
    "user_paused": Reason(State.paused, False, "Resume continues from the last checkpoint."),
    "spec_invalid": _failed("Correct the named fields and submit again."),
    "model_not_found": _failed("Check the model's name and revision; it needs safetensors weights."),
    "dataset_not_found": _failed("Check the data file's name, and the line and field that the message names."),
    "oom_gpu": _failed("Lower tokens_per_microbatch or sampling.batch_size, or use a larger GPU."),
    "oom_host": _failed("Give the worker more memory, or lower prompts_per_step."),
    "nan_loss": _failed("Lower optimizer.lr or optimizer.grad_clip; the last checkpoint is from before the trouble."),
    "reward_error": _failed("Look at the log for the answer that broke the checker, then resume."),
    "checkpoint_mismatch": _failed("The checkpoint does not belong to this spec or is damaged; start a new run."),
    "max_duration": _failed("The run took longer than allowed; resume continues from the last checkpoint."),
    "disk_full": _failed("Free space under the service's home, then resume."),
    "retry_exhausted": _failed("It kept ending without a new checkpoint; the log of the last attempt says why."),
    "exit_nonzero": _failed("The training process failed; the end of its log says why."),
    "unfinished": Reason(State.cancelled, False, "It was imported as it stood, without having come to its end."),
    "worker_lost": _retried("Its worker fell silent; it continues from the last checkpoint."),
    # The worker's own goodbye says nothing about the run, so it is free.
    "worker_stopped": _retried(
        "Its worker was shut down; it continues from the last checkpoint on the next one.", cost=0
    ),
    "worker_failed": _retried(
        "The worker itself failed: the message says at what, and the worker's log where; mend that.", crash=True
    ),
    "gpu_lost": _retried("A GPU failed or went away; it continues when one is free."),
    "engine_failed": _retried("The sampling server failed; check sampling.vllm and the server's log.", crash=True),
    "run_busy": _retried("Another process still holds the run's folder; it continues when that one has ended."),
    "killed_signal": _retried(
        "Something killed the training process, often for memory; it continues from the last checkpoint.", crash=True
    ),
}


@dataclass(frozen=True)
class Outcome:
    """What becomes of a run when an attempt ends."""

    state: State
    reason: str | None
    wait_s: float = 0.0


def retry_cost(reason: str | None, saved: bool) -> int:
    """What an attempt takes from the retry budget. A crash without a new checkpoint counts double: it would come again
    at the same place."""
    rule = REASONS[_known(reason)] if reason else None
    if rule is None:
        return 0
    return rule.cost * (2 if rule.crash and not saved else 1)


def after_attempt(reason: str | None, desired: Desired, stalls: int, retry_limit: int, backoff_s: float) -> Outcome:
    """`reason` None means that the work is done. `stalls` is what has been spent of the retry budget since the last
    checkpoint, this attempt's `retry_cost` included. The user's wish wins over a retry."""
    if reason is None:
        return Outcome(State.succeeded, None)
    known = _known(reason)
    rule = REASONS[known]
    if not rule.retryable:
        return Outcome(rule.state, known)
    if desired is Desired.cancel:
        return Outcome(State.cancelled, "user_cancelled")
    if desired is Desired.pause:
        return Outcome(State.paused, "user_paused")
    if rule.cost == 0:
        return Outcome(State.queued, known)
    if stalls >= retry_limit:
        return Outcome(State.failed, "retry_exhausted")
    return Outcome(State.queued, known, min(backoff_s * 2 ** max(0, stalls - 1), 300.0))


def _known(reason: str) -> str:
    return reason if reason in REASONS else "exit_nonzero"


def advice_for(reason: str | None) -> str | None:
    return REASONS[reason].advice if reason in REASONS else None
