"""What the service refuses, and why; `api/errors.py` maps each class to an HTTP status."""

from trapo_core.errors import TrapoError


class NotFoundError(TrapoError):
    """There is no such thing, or none that this caller may see."""


class ConflictError(TrapoError):
    """Not possible in the present state."""


class CursorError(TrapoError):
    """A cursor that no page gave, or one of another list."""

    reason = "request_invalid"


class PatternError(TrapoError):
    """A regular expression that cannot be read."""

    reason = "request_invalid"


class StaleError(TrapoError):
    """What the caller saw (If-Match) is no longer so."""


class IdempotencyError(TrapoError):
    """The same Idempotency-Key came with another body."""


class UnauthenticatedError(TrapoError):
    """No key or session, or one that is unknown, used up or expired."""


class ForbiddenError(TrapoError):
    """A known caller without the needed scope, or from a foreign page."""


class LeaseLostError(TrapoError):
    """Another worker holds the run, or nobody does: whoever gets this must stop and write nothing more."""

    reason = "worker_lost"
