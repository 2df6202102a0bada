"""`trapo backup` and `trapo restore`: on the service's host, by programs of the service, with its settings.

They work on its database and its folders, so they need no running service, and no key but the right to read them.
"""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from client.host import Home, folder_of, run_on_host
from client.options import Json, errors_console, results_console
from client.places import child_environment
from client.plan_tables import size_of
from client.printing import print_json

File = Annotated[Path, typer.Argument(help="The backup.", show_default=False)]


def backup(
    file: File,
    verify: Annotated[bool, typer.Option("--verify", help="Read FILE and compare every digest instead.")] = False,
    home: Home = None,
    json: Json = False,
) -> None:
    """Write everything that the service keeps to one file; it may go on meanwhile. On the service's host."""
    words = [str(file.absolute()), *(["--verify"] if verify else [])]
    facts = run_on_host("runs.upkeep.backup", words, _environment(home))
    if json:
        return print_json(facts)
    for one in facts["left_out"]:
        text = f"Left out: {one['name']} ({one['why']})"
        errors_console().print(f"[yellow]{escape(text)}[/]", highlight=False, soft_wrap=True)
    _print(file, "whole" if verify else "taken", facts)


def restore(file: File, home: Home = None, json: Json = False) -> None:
    """Bring a backup into an empty service, all or nothing, on SQLite or PostgreSQL. Before its first start."""
    facts = run_on_host("runs.upkeep.restore", [str(file.absolute())], _environment(home))
    if json:
        return print_json(facts)
    _print(file, "restored", facts)


def _environment(home: Path | None) -> dict[str, str]:
    return child_environment(folder_of(home))


def _print(file: Path, deed: str, facts: dict[str, Any]) -> None:
    size = f"{facts['rows']} rows, {facts['files']} files, {size_of(facts['bytes'])}"
    text = f"{escape(str(file))}  {deed}  {size}  [dim]{facts['digest']}[/]"
    results_console().print(text, highlight=False, soft_wrap=True)
