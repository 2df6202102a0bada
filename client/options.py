"""Options that several commands share, and the two consoles."""

from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console

SpecFiles = Annotated[
    list[Path], typer.Argument(help="YAML (one or several documents) or JSON files.", show_default=False)
]
RunOrSweepId = Annotated[
    str,
    typer.Argument(metavar="RUN|SWEEP", help="Its id, as `trapo ls` and `sweeps` show it.", show_default=False),
]
RunOrSweepIds = Annotated[
    list[str], typer.Argument(metavar="RUN|SWEEP...", help="A sweep stands for all its runs.", show_default=False)
]
Only = Annotated[
    Literal["archived", "deleted"] | None, typer.Option("--only", help="Those, which are not shown otherwise.")
]
RunId = Annotated[str, typer.Argument(metavar="RUN", help="Its id, as `trapo ls` shows it.", show_default=False)]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="A.B=VALUE", help="Set a field of every spec, such as data.problems=256."),
]
PRIORITY_HELP = "Higher is claimed first."
Priority = Annotated[int, typer.Option(min=-100, max=100, help=PRIORITY_HELP)]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for a program; progress goes to stderr.")]
Url = Annotated[
    str | None,
    typer.Option("--url", help="The service (TRAPO_URL, or what `trapo up` wrote to its home).", show_default=False),
]
Key = Annotated[
    str | None, typer.Option("--api-key", help="Your key (TRAPO_API_KEY, or the home's admin key).", show_default=False)
]


# A file or a pipe has no width; tables there are as wide as they need to be.
UNFOLDED = 200


def results_console() -> Console:
    return _console(stderr=False)


def progress_console(json: bool) -> Console:
    """Progress shares stdout with the results, unless those are for a program."""
    return _console(stderr=json)


def errors_console() -> Console:
    return _console(stderr=True)


def _console(stderr: bool) -> Console:
    console = Console(stderr=stderr)
    return console if console.is_terminal else Console(stderr=stderr, width=UNFOLDED)
