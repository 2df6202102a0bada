"""`trapo backup` and `trapo restore`: on the service's host, by programs of the service, with its settings.

They work on its database and its folders, so they need no running service, and no key but the right to read them.
"""

import json as standard_json
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from client import places
from client.errors import ClientError
from client.options import Json, errors_console, results_console
from client.plan_tables import size_of
from client.printing import print_json

File = Annotated[Path, typer.Argument(help="The backup.", show_default=False)]
Home = Annotated[Path | None, typer.Option(help="The service's home (TRAPO_HOME).", show_default="~/.trapo")]


def backup(
    file: File,
    verify: Annotated[bool, typer.Option("--verify", help="Read FILE and compare every digest instead.")] = False,
    home: Home = None,
    json: Json = False,
) -> None:
    """Write everything that the service keeps to one file; it may go on meanwhile. On the service's host."""
    facts = _run("runs.backup", [str(file.absolute()), *(["--verify"] if verify else [])], home)
    if json:
        return print_json(facts)
    for one in facts["left_out"]:
        text = f"Left out: {one['name']} ({one['why']})"
        errors_console().print(f"[yellow]{escape(text)}[/]", highlight=False, soft_wrap=True)
    _print(file, "whole" if verify else "taken", facts)


def restore(file: File, home: Home = None, json: Json = False) -> None:
    """Bring a backup into an empty service, all or nothing, on SQLite or PostgreSQL. Before its first start."""
    facts = _run("runs.restore", [str(file.absolute())], home)
    if json:
        return print_json(facts)
    _print(file, "restored", facts)


def _run(module: str, arguments: list[str], home: Path | None) -> dict[str, Any]:
    environment = places.child_environment((home or places.home()).expanduser().absolute())
    # -P: what is started is what is installed, whatever lies in the present folder.
    command = [sys.executable, "-P", "-m", module, *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, check=False)
    if done.returncode != 0:
        raise ClientError(done.stderr.decode(errors="replace").strip() or f"{module} ended with {done.returncode}.")
    facts: dict[str, Any] = standard_json.loads(done.stdout)
    return facts


def _print(file: Path, deed: str, facts: dict[str, Any]) -> None:
    size = f"{facts['rows']} rows, {facts['files']} files, {size_of(facts['bytes'])}"
    text = f"{escape(str(file))}  {deed}  {size}  [dim]{facts['digest']}[/]"
    results_console().print(text, highlight=False, soft_wrap=True)
