"""What can go wrong, each with its remedy.

One root, `TrapoError`. Every class carries a `reason`: a code from the closed list that the service maps to a state
and a line of advice (`runs/states.py`). A message says what is wrong and where; a `hint` says what to do.
"""

from dataclasses import dataclass


class TrapoError(Exception):
    """Root of all errors raised on purpose. `reason` is the code under which a run ends."""

    reason = "exit_nonzero"

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message, hint)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


@dataclass(frozen=True)
class FieldProblem:
    """One wrong field of a spec. `pointer` is a JSON pointer (RFC 6901) such as `/guidance/slots/1/ratio`."""

    pointer: str
    message: str
    hint: str = ""

    def __str__(self) -> str:
        return f"{self.pointer or '/'}: {self.message} {self.hint}".strip()


class SpecError(TrapoError, ValueError):
    """A spec that cannot be run; `problems` names every wrong field."""

    reason = "spec_invalid"

    def __init__(self, problems: list[FieldProblem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems

    def __reduce__(self) -> tuple[type["SpecError"], tuple[list[FieldProblem]]]:
        return type(self), (self.problems,)


class DataError(TrapoError, ValueError):
    """A data file that is missing, empty or broken; the message names file, line and field."""

    reason = "dataset_not_found"


class ModelError(TrapoError, ValueError):
    """A model that is missing, unsafe to load, or too small for the prompts."""

    reason = "model_not_found"


class BusyError(TrapoError):
    """Another process is at work on the same run; the process that found it leaves with `exit_status`, untold, for
    the run's files are the other's."""

    reason = "run_busy"
    exit_status = 75  # EX_TEMPFAIL: try again later


class RewardError(TrapoError):
    """The answer checker itself failed, again and again; scores would be made up."""

    reason = "reward_error"


class EngineError(TrapoError):
    """A sampling server that cannot be started or reached, or that answers what cannot be right."""

    reason = "engine_failed"


class NonFiniteError(TrapoError):
    """Loss or gradient was not finite in too many steps in a row."""

    reason = "nan_loss"


class GpuMemoryError(TrapoError):
    """The GPU's memory did not hold what the run needs."""

    reason = "oom_gpu"


class GpuLostError(TrapoError):
    """A GPU failed, or is not there though it was given to this process."""

    reason = "gpu_lost"


class CheckpointError(TrapoError):
    """A checkpoint that does not belong to this spec, or is damaged."""

    reason = "checkpoint_mismatch"


class DiskError(TrapoError):
    """There is no space left for what a run has to write."""

    reason = "disk_full"


class ExportError(TrapoError):
    """A model that cannot be given away as asked."""
