"""`trapo export`: a run of the service as files, or the model of a run's folder, to give away."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from client.api import Client
from client.errors import UsageError
from client.export_run import Format, export_run
from client.options import Json, Key, Url, progress_console, results_console
from trapo_core.errors import ExportError
from trapo_core.export import export as export_checkpoint
from trapo_core.export import find_checkpoint
from trapo_core.export import push as push_folder


def export(  # noqa: PLR0913 - the options of two kinds of export
    run: Annotated[
        str,
        typer.Argument(help="The id of a run of the service; or a run's folder, for its model.", show_default=False),
    ],
    form: Annotated[
        Format | None, typer.Option("--format", help="Of a run's curves. Default: parquet.", show_default=False)
    ] = None,
    rollouts: Annotated[bool, typer.Option("--rollouts", help="A run's rollouts too, as Parquet.")] = False,
    step: Annotated[
        int | None, typer.Option(help="Of a folder: which checkpoint. Default: the newest.", show_default=False)
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="The new folder. Default: RUN-FORMAT here, or FOLDER/exports/STEP.", show_default=False),
    ] = None,
    push: Annotated[
        str | None,
        typer.Option(
            metavar="OWNER/NAME",
            help="Of a folder: upload the model to this Hub repository, with your token.",
            show_default=False,
        ),
    ] = None,
    json: Json = False,
    url: Url = None,
    api_key: Key = None,
) -> None:
    """Write a run's curves, scores, guidance, events and spec into files; or copy the model of a run's folder with a
    model card, for transformers or the Hub."""
    if form is None and not rollouts and (Path(run).is_dir() or "/" in run):
        return _export_model(Path(run), step, out, push, json)
    if step is not None or push is not None:
        raise UsageError("--step and --push are of a run's folder.", "Give the folder, without --format.")
    form = form or "parquet"
    with Client.from_home(url, api_key) as client, progress_console(json).status("…") as shown:
        folder = export_run(client, run, out or Path(f"{run}-{form}"), form, rollouts, shown.update)
    _print(json, folder)


def _export_model(run_dir: Path, step: int | None, out: Path | None, push: str | None, json: bool) -> None:
    try:
        folder = export_checkpoint(run_dir, out or run_dir / "exports" / find_checkpoint(run_dir, step).name, step)
        url = push_folder(folder, push) if push else None
    except ExportError as error:
        raise UsageError(error.message, error.hint) from error
    _print(json, folder, url)


def _print(json: bool, folder: Path, url: str | None = None) -> None:
    if json:
        return results_console().print_json(data={"folder": str(folder), "url": url})
    results_console().print(escape(url or str(folder)), highlight=False, soft_wrap=True)
