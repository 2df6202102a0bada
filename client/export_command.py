"""`trapo export`: the model of a run's folder, to give away."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from client.errors import UsageError
from client.options import Json, results_console
from trapo_core.errors import ExportError
from trapo_core.export import export as export_checkpoint
from trapo_core.export import find_checkpoint
from trapo_core.export import push as push_folder


def export(
    run_dir: Annotated[Path, typer.Argument(help="The folder of a run.", show_default=False)],
    step: Annotated[int | None, typer.Option(help="Which checkpoint. Default: the newest.", show_default=False)] = None,
    out: Annotated[
        Path | None, typer.Option(help="The new folder. Default: RUN_DIR/exports/STEP.", show_default=False)
    ] = None,
    push: Annotated[
        str | None,
        typer.Option(
            metavar="OWNER/NAME", help="Upload it to this Hub repository, with your token.", show_default=False
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Copy a run's model with a model card, for transformers or the Hub."""
    try:
        folder = export_checkpoint(run_dir, out or run_dir / "exports" / find_checkpoint(run_dir, step).name, step)
        url = push_folder(folder, push) if push else None
    except ExportError as error:
        raise UsageError(error.message, error.hint) from error
    if json:
        return results_console().print_json(data={"folder": str(folder), "url": url})
    results_console().print(escape(url or str(folder)), highlight=False, soft_wrap=True)
