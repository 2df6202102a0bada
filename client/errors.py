"""What can go wrong on this side of the wire."""

from dataclasses import dataclass, field


class ClientError(Exception):
    """Root. `hint` says what to do; `exit_status` is what the `trapo` command ends with."""

    exit_status = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message, hint)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


class UsageError(ClientError):
    """Something was asked for in a way that cannot work: a wrong option, a spec file that is not one."""

    exit_status = 2


class Unreachable(ClientError):
    """The service does not answer."""


@dataclass(frozen=True)
class Wrong:
    """One wrong field, by JSON pointer, with its remedy."""

    pointer: str
    message: str
    hint: str = ""

    def __str__(self) -> str:
        return f"{self.pointer or '/'}: {self.message} {self.hint}".strip()


@dataclass(eq=False)
class ApiError(ClientError):
    """The service said no: a problem+json body (RFC 9457)."""

    status: int
    code: str
    title: str
    detail: str
    errors: list[Wrong] = field(default_factory=list)
    retry_after_s: float | None = None

    def __post_init__(self) -> None:
        super().__init__(self.detail or self.title)

    def __str__(self) -> str:
        return "\n".join([f"{self.status} {self.code}: {self.message}", *map(str, self.errors)])
