"""What goes wrong in words, and the exit status that it stands for."""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

import typer
from rich.markup import escape

from client.errors import ApiError, ClientError, Unreachable, Wrong
from client.options import errors_console
from trapo_core.errors import SpecError

WRONG_SPEC = 2
CANNOT_RUN = "The spec cannot be run."
OF_ONE_THING = frozenset({400, 404, 409, 412, 413, 422})

Item = TypeVar("Item")
Found = TypeVar("Found")


def each(named: Iterable[tuple[str, Item]], ask: Callable[[Item], Found]) -> Iterator[Found]:
    """What comes of each, as it comes. A refusal is told under the name, and the others are asked still; in the end the
    command then fails, as the worst of them would alone."""
    worst = 0
    for name, item in named:
        try:
            found = ask(item)
        except (SpecError, ClientError) as error:
            if not _of_one_thing(error):
                raise
            worst = max(worst, tell(error, name))
        else:
            yield found
    if worst:
        raise typer.Exit(worst)


def tell(error: SpecError | ClientError, name: str = "") -> int:
    """Write it to stderr; the exit status."""
    headline, wrong, status = _told(error)
    console = errors_console()
    console.print(f"[red]{escape(f'{name}: {headline}' if name else headline)}[/]", highlight=False, soft_wrap=True)
    for one in wrong:
        console.print(
            f"  [bold]{escape(one.pointer or '/')}[/]: {escape(one.message)}", highlight=False, soft_wrap=True
        )
        if one.hint:
            console.print(f"    [dim]{escape(one.hint)}[/]", highlight=False, soft_wrap=True)
    return status


def _told(error: SpecError | ClientError) -> tuple[str, list[Wrong], int]:
    if isinstance(error, SpecError):
        return CANNOT_RUN, [Wrong(one.pointer, one.message, one.hint) for one in error.problems], WRONG_SPEC
    if isinstance(error, ApiError):
        told = CANNOT_RUN if error.code == "spec_invalid" else f"{error.title} [{error.code}]"
        headline = told if error.errors else f"{error.message} [{error.code}]"
        return headline, error.errors, WRONG_SPEC if error.status in (400, 422) else error.exit_status
    return str(error), [], error.exit_status


def _of_one_thing(error: SpecError | ClientError) -> bool:
    """Whether another may still be done: not without a service, or with a key that it does not know."""
    return not isinstance(error, Unreachable) and (not isinstance(error, ApiError) or error.status in OF_ONE_THING)
