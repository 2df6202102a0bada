"""`trapo eval`: score a model on benchmarks here and now, and say how much better it is than another run."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from client import tables
from client.display import print_results
from client.errors import UsageError
from client.options import Json, Overrides, progress_console, results_console
from client.places import child_environment, home
from client.progress import RunView, final_scores, result
from client.run_command import run_one
from client.specfile import Spec, override
from client.which_model import named_model
from trapo_core.errors import DataError
from trapo_core.places import Places
from trapo_core.run_folder import default_folder
from trapo_core.spec import EvalSpec, parse_spec

if TYPE_CHECKING:
    from trapo_core.compare import Delta


def evaluate(
    model: Annotated[
        str,
        typer.Argument(
            help="A model folder, a run's folder (its last checkpoint), a Hub id, or small-world.", show_default=False
        ),
    ],
    benchmarks: Annotated[str, typer.Option(metavar="NAME,NAME", help="Such as aime24,math500.", show_default=False)],
    samples: Annotated[
        int | None, typer.Option(min=1, help="Answers to each problem. Default: the paper's.", show_default=False)
    ] = None,
    overrides: Overrides = None,
    run_dir: Annotated[
        Path | None, typer.Option(help="Where results go. Default: runs-local/TIME-NAME.", show_default=False)
    ] = None,
    against: Annotated[
        Path | None,
        typer.Option(metavar="RUN_DIR", help="Compare with the last scores of this run.", show_default=False),
    ] = None,
    json: Json = False,
) -> None:
    """Score a model on benchmarks here and now, without any service."""
    spec = eval_spec(model, benchmarks.split(","), samples, overrides or [])
    if against:
        refuse_unlike(spec, against)
    folder = run_dir or default_folder(spec.name, datetime.now())
    status, view = run_one(spec, folder, progress_console(json))
    deltas = compared(spec, folder, against) if against and status == 0 else []
    if json:
        results_console().print_json(data={**result(view), "deltas": [vars(delta) for delta in deltas]})
    else:
        _print(view, deltas, against)
    raise typer.Exit(status)


def eval_spec(model: str, benchmarks: Iterable[str], samples: int | None, overrides: list[str]) -> EvalSpec:
    """The evaluation that the words on the command line mean. Raises SpecError or UsageError."""
    asked: list[Spec] = [{"name": name.strip()} for name in benchmarks if name.strip()]
    if samples is not None:
        asked = [{**benchmark, "samples": samples} for benchmark in asked]
    spec: Spec = {"kind": "eval", "name": f"eval {model}"[:120], "benchmarks": asked, **named_model(model)}
    parsed = parse_spec(override(spec, overrides))
    assert isinstance(parsed, EvalSpec)  # no other kind has the field `benchmarks`
    return parsed


# ------------------------------------------------------------------------------------------------------- comparing


def refuse_unlike(spec: EvalSpec, against: Path) -> None:
    """Raises UsageError, before hours are spent, unless the other run answered the same under the same setting."""
    from trapo_core.compare import check_comparable  # noqa: PLC0415 - a client alone has no pyarrow

    data_dir = Places.from_environment(child_environment(home())).data_dir
    with _said_as_usage():
        for benchmark in spec.benchmarks:
            check_comparable(against, benchmark, spec.template, data_dir)


def compared(spec: EvalSpec, folder: Path, against: Path) -> "list[Delta]":
    """How much better the run in `folder` is than `against`. Raises UsageError if the two do not compare."""
    from trapo_core.compare import compare_runs  # noqa: PLC0415 - as above

    with _said_as_usage():
        return compare_runs(folder, against, [benchmark.name for benchmark in spec.benchmarks])


@contextmanager
def _said_as_usage() -> Iterator[None]:
    try:
        yield
    except DataError as error:
        raise UsageError(error.message, error.hint) from error


def _print(view: RunView, deltas: "list[Delta]", against: Path | None) -> None:
    console = results_console()
    if view.state != "succeeded":
        return print_results(console, [view])
    console.print()
    console.print(tables.score_table(final_scores(view)))
    if deltas:
        console.print(
            f"\n[dim]difference to[/] {escape(str(against))}[dim], above zero is better[/]",
            highlight=False,
            soft_wrap=True,
        )
        console.print(tables.delta_table(deltas))
