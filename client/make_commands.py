"""`trapo clone` and `trapo sweep`: runs made of others, with some fields changed."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from client import service_tables
from client.api import Client
from client.commands import follow_to_end, print_made
from client.errors import UsageError
from client.options import Json, Key, Overrides, Priority, RunId, Url, results_console
from client.printing import print_json
from client.specfile import load_specs, seeds, several_by_path, values_by_path

FollowRuns = Annotated[
    bool, typer.Option("--follow", "-f", help="Show progress until the runs end; exit with their result.")
]


def clone(
    run: RunId,
    overrides: Overrides = None,
    from_checkpoint: Annotated[
        int | None,
        typer.Option(metavar="STEP", min=0, help="Begin with the weights of this checkpoint.", show_default=False),
    ] = None,
    priority: Priority = 0,
    follow: FollowRuns = False,
    json: Json = False,
    url: Url = None,
    api_key: Key = None,
) -> None:
    """Submit a run's spec again, with some fields changed."""
    values = values_by_path(overrides or ())
    with Client.from_home(url, api_key) as client:
        made = client.clone(run, values, from_checkpoint=from_checkpoint, priority=priority)
        print_made(client, [made], json, follow)
        if follow:
            follow_to_end(client, [made], json)


def sweep(  # noqa: PLR0913 - options of a command
    spec: Annotated[Path, typer.Argument(metavar="FILE", help="A file with one spec.", show_default=False)],
    matrix: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="A.B=V,V", help="Values to try for a field, such as optimizer.lr=1e-5,3e-5."),
    ] = None,
    seed_list: Annotated[
        str | None, typer.Option("--seeds", metavar="N,N|N-N", help="Such as 0-4.", show_default=False)
    ] = None,
    name: Annotated[str, typer.Option(help="Default: the spec's.", show_default=False)] = "",
    priority: Priority = 0,
    follow: FollowRuns = False,
    json: Json = False,
    url: Url = None,
    api_key: Key = None,
) -> None:
    """Submit a run for every combination of values and every seed: all or none."""
    found = load_specs([spec])
    if len(found) != 1:
        raise UsageError(f"{spec} holds {len(found)} specs, and a sweep is of one.", "Put it in a file of its own.")
    values, chosen = several_by_path(matrix or ()), seeds(seed_list) if seed_list is not None else []
    with Client.from_home(url, api_key) as client:
        made = client.sweep(found[0], values, chosen, name=name, priority=priority)
        if json and not follow:
            return print_json(made)
        if not json:
            console = results_console()
            console.print(f"{made.id}  {escape(made.name)}  {len(made.runs)} runs", highlight=False, soft_wrap=True)
            console.print(service_tables.sweep_runs(made.runs))
        if follow:
            follow_to_end(client, [client.get(one.id) for one in made.runs], json)
