"""`trapo checkpoints`: list, keep, take away and name what a run saved."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from client import service_tables
from client.api import Client
from client.groups import ListsByDefault, group
from client.models import Checkpoint
from client.options import Json, Key, RunId, Url, progress_console, results_console
from client.printing import print_each, print_json

app = group("checkpoints", "List, pin, download and name the checkpoints of a run.", ListsByDefault)
Step = Annotated[int, typer.Argument(metavar="STEP", min=0, help="As the list shows it.", show_default=False)]


@app.command()
def ls(run: RunId, json: Json = False, url: Url = None, api_key: Key = None) -> None:
    """List those still on disk. `trapo checkpoints RUN` is short for it."""
    with Client.from_home(url, api_key) as client:
        found = client.checkpoints(run)
    if json:
        return print_json(found)
    console = results_console()
    console.print(service_tables.checkpoints(found) if found else "No checkpoints yet.")


@app.command()
def pin(run: RunId, step: Step, json: Json = False, url: Url = None, api_key: Key = None) -> None:
    """Never delete this one, however many the run keeps."""
    with Client.from_home(url, api_key) as client:
        _print_one(client.pin(run, step), json)


@app.command()
def unpin(run: RunId, step: Step, json: Json = False, url: Url = None, api_key: Key = None) -> None:
    """Let it go when newer ones come."""
    with Client.from_home(url, api_key) as client:
        _print_one(client.unpin(run, step), json)


@app.command()
def promote(
    run: RunId,
    step: Step,
    alias: Annotated[str, typer.Argument(metavar="ALIAS", show_default=False)],
    json: Json = False,
    url: Url = None,
    api_key: Key = None,
) -> None:
    """Name it: a spec's model can then be {source: folder, path: ALIAS}."""
    with Client.from_home(url, api_key) as client:
        made = client.promote(run, step, alias)
    if json:
        return print_json(made)
    line = f"{made.name}  is step {made.step} of {made.run_id}  [dim]model: {{source: folder, path: {made.path}}}[/]"
    results_console().print(line, highlight=False, soft_wrap=True)


@app.command()
def download(
    run: RunId,
    step: Step,
    out: Annotated[Path | None, typer.Option(help="The folder. Default: RUN-step-STEP.", show_default=False)] = None,
    json: Json = False,
    url: Url = None,
    api_key: Key = None,
) -> None:
    """Fetch its files, each checked by sha256; again goes on where it stopped."""
    folder = out or Path(f"{run}-step-{step:06d}")
    console = progress_console(json)
    columns = TextColumn("{task.description}"), BarColumn(bar_width=24), DownloadColumn(), TransferSpeedColumn()
    bars = Progress(*columns, console=console, disable=not console.is_terminal)
    with Client.from_home(url, api_key) as client, bars:
        tasks = {
            file.name: bars.add_task(escape(file.name), total=file.bytes) for file in client.checkpoint_files(run, step)
        }
        files = client.download(run, step, folder, lambda name, done, _: bars.update(tasks[name], completed=done))
    if json:
        return print_json({"folder": str(folder), "files": [str(file.relative_to(folder)) for file in files]})
    results_console().print(escape(str(folder)), highlight=False, soft_wrap=True)


def _print_one(one: Checkpoint, json: bool) -> None:
    if json:
        return print_json(one)
    print_each([one], json, lambda found: f"step {found.step}  {'pinned' if found.pinned else 'not pinned'}")
