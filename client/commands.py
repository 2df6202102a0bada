"""The commands that speak to a service. Each parses, calls the client, prints."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated

import typer
from rich.console import RenderableType
from rich.markup import escape

from client import service_tables, tables
from client.api import Client
from client.display import print_results
from client.models import Plan, Run, RunDetail
from client.options import (
    Json,
    Key,
    Only,
    Overrides,
    Priority,
    RunOrSweepId,
    RunOrSweepIds,
    SpecFiles,
    Url,
    progress_console,
    results_console,
)
from client.pin_command import pin_specs
from client.printing import print_each, print_json, print_lines
from client.progress import result
from client.refusals import each
from client.run_ids import any_run, is_sweep, run_ids
from client.specfile import NamedSpec, read_specs
from client.watch import INTERRUPTED, exit_status
from client.watch import follow as watch
from trapo_core.methods import METHODS
from trapo_core.spec import parse_spec


def submit(  # noqa: PLR0913 - options of a command
    specs: SpecFiles,
    overrides: Overrides = None,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Show progress until the runs end; exit with their result.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done; store nothing.")] = False,
    pin: Annotated[
        bool, typer.Option("--pin", help="Send the commits that branches and tags of the Hub stand for now.")
    ] = False,
    priority: Priority = 0,
    json: Json = False,
    url: Url = None,
    api_key: Key = None,
) -> None:
    """Submit runs to the service."""
    named = checked(read_specs(specs, overrides or ()))
    if pin:
        pinned = pin_specs([spec for _, spec in named], progress_console(json))
        named = [(name, spec) for (name, _), spec in zip(named, pinned, strict=True)]
    with Client.from_home(url, api_key) as client:
        if dry_run:
            return _print_plans(list(each(named, client.plan)), json)
        runs = print_made(client, submitted(client, named, priority), json, follow)
        if follow:
            follow_to_end(client, runs, json)


def checked(named: list[NamedSpec]) -> list[NamedSpec]:
    """The same specs; all that is wrong with them is told first. The service has the last word."""
    list(each(named, parse_spec))
    return named


def submitted(client: Client, named: list[NamedSpec], priority: int = 0) -> Iterator[RunDetail]:
    """The runs, as they are made. Of several specs none is submitted when the service would refuse one."""
    if len(named) > 1:
        list(each(named, client.plan))
    yield from each(named, lambda spec: client.submit(spec, priority=priority))


def ls(  # noqa: PLR0913 - options of a command
    state: Annotated[str | None, typer.Option(help="Only runs in this state.")] = None,
    method: Annotated[str | None, typer.Option(help="Only runs of this method.")] = None,
    tag: Annotated[str | None, typer.Option(help="Only runs with this tag.")] = None,
    sweep: Annotated[str | None, typer.Option(help="Only runs of this sweep.")] = None,
    only: Only = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many, newest first.")] = 20,
    json: Json = False,
    url: Url = None,
    api_key: Key = None,
) -> None:
    """List runs, newest first."""
    with Client.from_home(url, api_key) as client:
        runs = client.runs(limit, state=state, method=method, tag=tag, sweep=sweep, **({only: True} if only else {}))
    console = results_console()
    if json:
        print_json(runs)
    elif runs:
        console.print(tables.runs(runs))
    else:
        console.print("No runs. [dim]`trapo submit recipes/demo.yaml` makes some.[/]")


def sweeps(
    only: Only = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many, newest first.")] = 20,
    json: Json = False,
    url: Url = None,
    api_key: Key = None,
) -> None:
    """List sweeps, newest first."""
    with Client.from_home(url, api_key) as client:
        found = client.sweeps(limit, archived=only == "archived", deleted=only == "deleted")
    if json:
        return print_json(found)
    results_console().print(tables.sweeps(found) if found else "No sweeps. [dim]`trapo sweep -h` says how.[/]")


def show(run: RunOrSweepId, json: Json = False, url: Url = None, api_key: Key = None) -> None:
    """Show one run: what it is, how far, its scores, and its spec; or a sweep and its runs."""
    with Client.from_home(url, api_key) as client:
        if is_sweep(run):
            sweep = client.get_sweep(run)
            return print_json(sweep) if json else _print_blocks(service_tables.sweep_detail(sweep))
        found, scores = client.get(run), client.scores(run)
    if json:
        return print_json(
            {**found.model_dump(mode="json"), "scores": [score.model_dump(mode="json") for score in scores]}
        )
    _print_blocks(tables.run_detail(found, scores))


def follow(runs: RunOrSweepIds, json: Json = False, url: Url = None, api_key: Key = None) -> None:
    """Show progress until the runs end; exit with their result."""
    with Client.from_home(url, api_key) as client:
        follow_to_end(client, [client.get(run) for run in run_ids(client, runs, any_run)], json)


def methods(json: Json = False) -> None:
    """List the methods that a spec may name. Needs no service."""
    if json:
        return print_json([vars(method) for method in METHODS.values()])
    results_console().print(tables.methods(METHODS.values()))


def login_link(json: Json = False, url: Url = None, api_key: Key = None) -> None:
    """Make a link that opens the dashboard once."""
    with Client.from_home(url, api_key) as client:
        link = client.login_link()
    if json:
        return print_json(link)
    results_console().print(link.url, soft_wrap=True, highlight=False)


# ------------------------------------------------------------------------------------------------------------ plumbing


def print_made(client: Client, runs: Iterable[RunDetail], json: bool, follow: bool) -> list[RunDetail]:
    """New runs as they come, with their pages in the dashboard. A program that follows them reads only the result."""

    def line(run: Run) -> str:
        return f"{run.id}  {escape(run.name)}  [dim]{tables.page(client.base_url, run.id)}[/]"

    return print_lines(runs, line, progress_console(json)) if follow else print_each(runs, json, line)


def follow_to_end(client: Client, runs: Sequence[Run], json: bool) -> None:
    console = progress_console(json)
    try:
        views = watch(client, runs, console)
    except KeyboardInterrupt:
        console.print(
            f"\nNo longer following; the runs go on. [dim]trapo follow {' '.join(run.id for run in runs)}[/]",
            soft_wrap=True,
        )
        raise typer.Exit(INTERRUPTED) from None
    if json:
        print_json([result(view) for view in views])
    else:
        print_results(results_console(), views)
    raise typer.Exit(exit_status(view.state for view in views))


def _print_blocks(blocks: Iterable[RenderableType]) -> None:
    console = results_console()
    for block in blocks:
        console.print(block, highlight=False)


def _print_plans(plans: list[Plan], json: bool) -> None:
    if json:
        return print_json(plans)
    console = results_console()
    console.print(tables.plans(plans))
    for warning in [warning for plan in plans for warning in plan.warnings]:
        console.print(f"[yellow]{escape(warning)}[/]", highlight=False)
