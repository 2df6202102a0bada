"""`trapo run`: train in this folder, without a service."""

import shlex
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from client.display import print_results
from client.local import LocalRun, prepare
from client.options import Json, Overrides, errors_console, progress_console, results_console
from client.progress import RunView, result
from client.specfile import load_specs
from client.watch import INTERRUPTED
from trapo_core.run_folder import default_folder
from trapo_core.spec import EvalSpec, TrainSpec, parse_spec


def run(
    spec: Annotated[
        Path, typer.Argument(help="A YAML or JSON file; several specs in it run one after another.", show_default=False)
    ],
    overrides: Overrides = None,
    run_dir: Annotated[
        Path | None,
        typer.Option(
            help="Where the run lives; give it again to resume. Default: runs-local/TIME-NAME.", show_default=False
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Train here and now, without any service. Ctrl-C saves a checkpoint first."""
    parsed = [parse_spec(one) for one in load_specs([spec], overrides or ())]
    folders = _folders(parsed, run_dir, datetime.now())
    console = progress_console(json)
    views: list[RunView] = []
    statuses: list[int] = []
    for one, folder in zip(parsed, folders, strict=True):
        status, view = run_one(one, folder, console)
        views.append(view)
        statuses.append(status)
        if status == INTERRUPTED:
            console.print(_resume_hint(spec, run_dir or folder, overrides or []), highlight=False, soft_wrap=True)
            break
    if json:
        results_console().print_json(data=[result(view) for view in views])
    else:
        print_results(results_console(), views)
    raise typer.Exit(max(statuses, key=_badness))


def _folders(specs: list[TrainSpec | EvalSpec], run_dir: Path | None, now: datetime) -> list[Path]:
    if len(specs) == 1:
        return [run_dir or default_folder(specs[0].name, now)]
    root = run_dir or default_folder("runs", now)
    return [root / (spec.name or str(number)) for number, spec in enumerate(specs, start=1)]


def run_one(spec: TrainSpec | EvalSpec, folder: Path, console: Console) -> tuple[int, RunView]:
    """Run to the end in `folder`; the exit status and the run as last seen. A refused run leaves no folder."""
    is_new = prepare(folder, spec)
    console.print(f"[dim]run folder[/] {escape(str(folder))}", highlight=False, soft_wrap=True)
    local = LocalRun(folder, spec, console)
    status = local.run()
    if local.refused and is_new:
        local.discard()
        errors_console().print(
            f"[dim]Nothing was started; {escape(str(folder))} is removed again.[/]", highlight=False, soft_wrap=True
        )
    return status, local.view


def _resume_hint(spec: Path, folder: Path, overrides: list[str]) -> str:
    """The command that goes on: the same spec, so the same overrides too."""
    sets = [word for one in overrides for word in ("--set", one)]
    command = shlex.join(["trapo", "run", str(spec), *sets, "--run-dir", str(folder)])
    return f"Resume with: [bold]{escape(command)}[/]"


def _badness(status: int) -> int:
    return [0, 4, 3, 1, INTERRUPTED].index(status)
