"""The commands that speak to a service. Each parses, calls the client, prints."""

from collections.abc import Callable, Sequence
from typing import Annotated

import typer
from rich.markup import escape

from client import tables
from client.api import Client
from client.display import print_results
from client.models import Plan, Run, Sweep
from client.options import (
    Json,
    Key,
    Only,
    Overrides,
    RunId,
    RunIds,
    RunOrSweepIds,
    SpecFiles,
    Url,
    progress_console,
    results_console,
)
from client.pin_command import pin_specs
from client.printing import print_each, print_json
from client.progress import result
from client.specfile import Spec, load_specs
from client.watch import INTERRUPTED, exit_status
from client.watch import follow as watch
from trapo_core.methods import METHODS
from trapo_core.spec import parse_spec


def submit(
    specs: SpecFiles,
    overrides: Overrides = None,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Show progress until the runs end; exit with their result.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done; store nothing.")] = False,
    pin: Annotated[
        bool, typer.Option("--pin", help="Send the commits that branches and tags of the Hub stand for now.")
    ] = False,
    json: Json = False,
    url: Url = None,
    api_key: Key = None,
) -> None:
    """Submit runs to the service."""
    loaded = checked(load_specs(specs, overrides or ()))
    if pin:
        loaded = pin_specs(loaded, progress_console(json))
    with Client.from_home(url, api_key) as client:
        if dry_run:
            return _print_plans([client.plan(spec) for spec in loaded], json)
        runs: list[Run] = [client.submit(spec) for spec in loaded]
        if not (follow and json):
            print_made(client, runs, json)
        if follow:
            follow_to_end(client, runs, json)


def checked(specs: list[Spec]) -> list[Spec]:
    """The same specs: nothing is submitted when one of several is wrong. The service has the last word."""
    for spec in specs:
        parse_spec(spec)
    return specs


def ls(
    state: Annotated[str | None, typer.Option(help="Only runs in this state.")] = None,
    method: Annotated[str | None, typer.Option(help="Only runs of this method.")] = None,
    tag: Annotated[str | None, typer.Option(help="Only runs with this tag.")] = None,
    only: Only = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many, newest first.")] = 20,
    json: Json = False,
    url: Url = None,
    api_key: Key = None,
) -> None:
    """List runs, newest first."""
    with Client.from_home(url, api_key) as client:
        runs = client.runs(limit, state=state, method=method, tag=tag, **({only: True} if only else {}))
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


def show(run: RunId, json: Json = False, url: Url = None, api_key: Key = None) -> None:
    """Show one run: what it is, how far, its scores, and its spec."""
    with Client.from_home(url, api_key) as client:
        found, scores = client.get(run), client.scores(run)
    if json:
        return print_json(
            {**found.model_dump(mode="json"), "scores": [score.model_dump(mode="json") for score in scores]}
        )
    console = results_console()
    for block in tables.run_detail(found, scores):
        console.print(block, highlight=False)


def follow(runs: RunIds, json: Json = False, url: Url = None, api_key: Key = None) -> None:
    """Show progress until the runs end; exit with their result."""
    with Client.from_home(url, api_key) as client:
        follow_to_end(client, [client.get(run) for run in runs], json)


def cancel(runs: RunOrSweepIds, json: Json = False, url: Url = None, api_key: Key = None) -> None:
    """Stop runs for good. Their results so far are kept."""
    ask_each(runs, Client.cancel, json, url, api_key, Client.cancel_sweep)


def pause(runs: RunIds, json: Json = False, url: Url = None, api_key: Key = None) -> None:
    """Let runs finish their step, save, and wait for `trapo resume`."""
    ask_each(runs, Client.pause, json, url, api_key)


def resume(runs: RunIds, json: Json = False, url: Url = None, api_key: Key = None) -> None:
    """Go on from the last checkpoint."""
    ask_each(runs, Client.resume, json, url, api_key)


def retry(runs: RunIds, json: Json = False, url: Url = None, api_key: Key = None) -> None:
    """Queue failed or cancelled runs again; they go on from the last checkpoint."""
    ask_each(runs, Client.retry, json, url, api_key)


def priority(
    run: RunId,
    value: Annotated[
        int, typer.Argument(metavar="N", min=-100, max=100, help="Higher is claimed first.", show_default=False)
    ],
    json: Json = False,
    url: Url = None,
    api_key: Key = None,
) -> None:
    """Let a run that is queued or paused go before or after others."""
    with Client.from_home(url, api_key) as client:
        changed = client.change(run, priority=value)
    print_each([changed], json, lambda one: f"{one.id}  {escape(one.name)}  {one.state}, priority {one.priority}")


def archive(
    runs: RunOrSweepIds,
    undo: Annotated[bool, typer.Option("--undo", help="Back into the lists.")] = False,
    json: Json = False,
    url: Url = None,
    api_key: Key = None,
) -> None:
    """Take ended or paused runs out of the lists; everything is kept."""
    if undo:
        return ask_each(runs, Client.unarchive, json, url, api_key, Client.unarchive_sweep)
    ask_each(runs, Client.archive, json, url, api_key, Client.archive_sweep)


def rm(runs: RunOrSweepIds, json: Json = False, url: Url = None, api_key: Key = None) -> None:
    """Delete ended or paused runs. `trapo undelete` has them back for some days."""
    ask_each(runs, Client.delete, json, url, api_key, Client.delete_sweep)


def undelete(runs: RunOrSweepIds, json: Json = False, url: Url = None, api_key: Key = None) -> None:
    """Have deleted runs back."""
    ask_each(runs, Client.undelete, json, url, api_key, Client.undelete_sweep)


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


def print_made(client: Client, runs: Sequence[Run], json: bool) -> None:
    """New runs, with their pages in the dashboard."""
    print_each(runs, json, lambda run: f"{run.id}  {escape(run.name)}  [dim]{tables.page(client.base_url, run.id)}[/]")


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


def ask_each(
    ids: list[str],
    ask: Callable[[Client, str], Run],
    json: bool,
    url: str | None,
    api_key: str | None,
    ask_sweep: Callable[[Client, str], Sweep] | None = None,
) -> None:
    """`ask_sweep` is for the ids of sweeps, where they may stand beside those of runs."""
    with Client.from_home(url, api_key) as client:
        asked = [ask_sweep(client, one) if ask_sweep and one.startswith("swp_") else ask(client, one) for one in ids]
    print_each(asked, json, lambda one: f"{one.id}  {escape(one.name)}  {tables.standing(one)}")


def _print_plans(plans: list[Plan], json: bool) -> None:
    if json:
        return print_json(plans)
    console = results_console()
    console.print(tables.plans(plans))
    for warning in [warning for plan in plans for warning in plan.warnings]:
        console.print(f"[yellow]{escape(warning)}[/]", highlight=False)
