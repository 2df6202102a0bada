"""`trapo import`: a run that was made without the service, or by another trainer."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from client.api import Client
from client.import_run import import_run
from client.options import Json, Key, Url, progress_console, results_console
from client.printing import print_json


def import_(
    folder: Annotated[
        Path, typer.Argument(help="With events.jsonl, or with TensorBoard files of any trainer.", show_default=False)
    ],
    name: Annotated[
        str | None, typer.Option(help="Default: the spec's name, or the folder's.", show_default=False)
    ] = None,
    rollouts: Annotated[bool, typer.Option(help="Send rollouts/*.parquet too, of a run with a spec.")] = True,
    json: Json = False,
    url: Url = None,
    api_key: Key = None,
) -> None:
    """Make a run of the service of a folder: curves, guidance, scores, rollouts. The same folder is the same run."""
    console = progress_console(json)

    def tell(text: str) -> None:
        console.print(f"[dim]{escape(text)}[/]", highlight=False, soft_wrap=True)

    with Client.from_home(url, api_key) as client:
        run = import_run(client, folder, name, rollouts, tell)
    if json:
        return print_json(run)
    results_console().print(f"{run.id}  {escape(run.name)}  {run.state}", highlight=False, soft_wrap=True)
