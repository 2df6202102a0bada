"""What the service refuses, and why; `api/errors.py` maps each class to an HTTP status."""

from trapo_core.errors import FieldProblem, TrapoError


class NotFoundError(TrapoError):
    """There is no such thing, or none that this caller may see."""


class ConflictError(TrapoError):
    """Not possible in the present state."""


class CursorError(TrapoError):
    """A cursor that no page gave, or one of another list."""

    reason = "request_invalid"


class TooLargeError(TrapoError):
    """A body of more bytes than are taken."""


class ImportLineError(TrapoError):
    """A line of an import that cannot be taken; `problems` say which, and why."""

    reason = "import_invalid"

    def __init__(self, line: int, problems: list[FieldProblem]) -> None:
        said = " ".join(f"{problem.message}" for problem in problems)
        super().__init__(f"Line {line}: {said}", "Nothing of it was stored.")
        self.problems = problems


class PatternError(TrapoError):
    """A regular expression that cannot be read."""

    reason = "request_invalid"


class StaleError(TrapoError):
    """What the caller saw (If-Match) is no longer so."""


class IdempotencyError(TrapoError):
    """The same Idempotency-Key came with another body."""


class NotYetError(TrapoError):
    """It takes a while to make ready, and nobody is kept waiting for it: the same request gets it later."""


class UnauthenticatedError(TrapoError):
    """No key or session, or one that is unknown, used up or expired."""


class ForbiddenError(TrapoError):
    """A known caller without the needed scope, or from a foreign page."""


class LeaseLostError(TrapoError):
    """Another worker holds the run, or nobody does: whoever gets this must stop and write nothing more."""

    reason = "worker_lost"


class ArchiveError(TrapoError):
    """A backup that cannot be taken, read or restored."""


def no_run(run_id: str) -> NotFoundError:
    if run_id.startswith("swp_"):
        return NotFoundError(
            f"{run_id} is a sweep, and this is asked of one run.",
            f"GET /api/v1/runs?sweep={run_id}, or `trapo ls --sweep {run_id}`, lists its runs.",
        )
    return NotFoundError(f"There is no run {run_id}.", "GET /api/v1/runs lists those there are.")
