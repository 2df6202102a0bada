"""`trapo doctor`: whether everything that a run needs is here; a line each, with a remedy."""

import typer
from rich.markup import escape

from client.doctor import examine
from client.options import Json, Key, Url, results_console
from client.places import child_environment, home
from client.printing import print_json

STYLE = {"ok": "green", "warning": "yellow", "wrong": "red"}


def doctor(json: Json = False, url: Url = None, api_key: Key = None) -> None:
    """Check Python, torch, CUDA, Redis, database, disk, key and service. Exit status 1 if something is wrong."""
    found = []
    for one in examine(home(), child_environment(home()), url, api_key):
        found.append(one)
        if not json:
            remedy = f"  [dim]{escape(one.remedy)}[/]" if one.remedy else ""
            verdict = f"[{STYLE[one.verdict]}]{one.verdict:<7}[/]"
            results_console().print(
                f"{verdict}  {one.name:<8}  {escape(one.text)}{remedy}", highlight=False, soft_wrap=True
            )
    if json:
        print_json(found)
    raise typer.Exit(int(any(one.verdict == "wrong" for one in found)))
