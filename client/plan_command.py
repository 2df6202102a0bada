"""`trapo plan`: what a spec will take, before anything starts. Needs no service, no GPU and no torch."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from client.options import Json, Overrides, results_console
from client.plan_tables import facts, memory_table, work_table
from client.specfile import load_specs
from trapo_core.devices import DeviceName
from trapo_core.errors import SpecError
from trapo_core.estimate import Estimate, estimate, room_problems
from trapo_core.places import Places
from trapo_core.shapes import shape_of
from trapo_core.spec import EvalSpec, TrainSpec, parse_spec


def plan(
    spec: Annotated[Path, typer.Argument(help="A YAML or JSON file with one or several specs.", show_default=False)],
    overrides: Overrides = None,
    gpu: Annotated[
        DeviceName | None, typer.Option(help="Default: h100, or cpu for a spec without GPUs.", show_default=False)
    ] = None,
    gpus: Annotated[
        int | None, typer.Option(min=0, max=64, help="How many. Default: the spec's, or one.", show_default=False)
    ] = None,
    json: Json = False,
) -> None:
    """Say what specs will take, before anything starts: sizes, memory, disk, time. Estimates; runs nothing."""
    parsed = [parse_spec(one) for one in load_specs([spec], overrides or ())]
    plans = [(one, planned(one, gpu, gpus)) for one in parsed]
    if json:
        return results_console().print_json(data=[_as_data(one, found) for one, found in plans])
    for one, found in plans:
        _print(results_console(), one, found)


def planned(spec: TrainSpec | EvalSpec, gpu: DeviceName | None, gpus: int | None) -> Estimate:
    """Raises SpecError where a response cannot fit the model's context."""
    shape = shape_of(spec.model, Places.from_environment().models_dir)
    if problems := room_problems(spec, shape):
        raise SpecError(problems)
    return estimate(spec, shape, device=gpu, gpus=gpus)


def _as_data(spec: TrainSpec | EvalSpec, found: Estimate) -> dict[str, Any]:
    return {"spec": spec.model_dump(mode="json"), "estimate": found.model_dump(mode="json")}


def _print(console: Console, spec: TrainSpec | EvalSpec, found: Estimate) -> None:
    console.print(facts(spec, found))
    if found.work.stages:
        console.print(work_table(found))
    if found.memory:
        console.print(memory_table(found.memory))
    for note in found.notes:
        console.print(f"[dim]{escape(note)}[/]", highlight=False, soft_wrap=True)
    for warning in found.warnings:
        console.print(f"[yellow]{escape(warning)}[/]", highlight=False, soft_wrap=True)
    console.print()
