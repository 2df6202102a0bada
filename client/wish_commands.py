"""What is asked of runs that are there: stop, go on, wait longer, out of sight, gone. Each takes sweeps as well."""

from collections.abc import Callable
from typing import Annotated

import typer
from rich.markup import escape

from client import tables
from client.api import Client
from client.models import Run, Sweep
from client.options import PRIORITY_HELP, Json, Key, RunOrSweepId, RunOrSweepIds, Url
from client.printing import print_each
from client.refusals import each
from client.run_ids import Fits, can_pause, can_resume, can_retry, is_sweep, run_ids, waits


def cancel(runs: RunOrSweepIds, json: Json = False, url: Url = None, api_key: Key = None) -> None:
    """Stop runs for good. Their results so far are kept."""
    _ask_each(runs, Client.cancel, Client.cancel_sweep, json, url, api_key)


def pause(runs: RunOrSweepIds, json: Json = False, url: Url = None, api_key: Key = None) -> None:
    """Let runs finish their step, save, and wait for `trapo resume`."""
    _ask_runs(runs, Client.pause, can_pause, json, url, api_key)


def resume(runs: RunOrSweepIds, json: Json = False, url: Url = None, api_key: Key = None) -> None:
    """Go on from the last checkpoint."""
    _ask_runs(runs, Client.resume, can_resume, json, url, api_key)


def retry(runs: RunOrSweepIds, json: Json = False, url: Url = None, api_key: Key = None) -> None:
    """Queue failed or cancelled runs again; they go on from the last checkpoint."""
    _ask_runs(runs, Client.retry, can_retry, json, url, api_key)


def priority(
    run: RunOrSweepId,
    value: Annotated[int, typer.Argument(metavar="N", min=-100, max=100, help=PRIORITY_HELP, show_default=False)],
    json: Json = False,
    url: Url = None,
    api_key: Key = None,
) -> None:
    """Let a run that is queued or paused go before or after others."""

    def ask(client: Client, run_id: str) -> Run:
        return client.change(run_id, priority=value)

    def line(one: Run) -> str:
        return f"{one.id}  {escape(one.name)}  {one.state}, priority {one.priority}"

    _ask_runs([run], ask, waits, json, url, api_key, line)


def archive(
    runs: RunOrSweepIds,
    undo: Annotated[bool, typer.Option("--undo", help="Back into the lists.")] = False,
    json: Json = False,
    url: Url = None,
    api_key: Key = None,
) -> None:
    """Take ended or paused runs out of the lists; everything is kept."""
    if undo:
        return _ask_each(runs, Client.unarchive, Client.unarchive_sweep, json, url, api_key)
    _ask_each(runs, Client.archive, Client.archive_sweep, json, url, api_key)


def rm(runs: RunOrSweepIds, json: Json = False, url: Url = None, api_key: Key = None) -> None:
    """Delete ended or paused runs. `trapo undelete` has them back for some days."""
    _ask_each(runs, Client.delete, Client.delete_sweep, json, url, api_key)


def undelete(runs: RunOrSweepIds, json: Json = False, url: Url = None, api_key: Key = None) -> None:
    """Have deleted runs back."""
    _ask_each(runs, Client.undelete, Client.undelete_sweep, json, url, api_key)


# ------------------------------------------------------------------------------------------------------------ plumbing


def standing(one: Run | Sweep) -> str:
    return f"{one.id}  {escape(one.name)}  {tables.standing(one)}"


def _ask_each(
    ids: list[str],
    ask: Callable[[Client, str], Run],
    ask_sweep: Callable[[Client, str], Sweep],
    json: bool,
    url: str | None,
    api_key: str | None,
) -> None:
    """What the service can ask of a whole sweep: all of it or none."""
    with Client.from_home(url, api_key) as client:

        def asked(one: str) -> Run | Sweep:
            return ask_sweep(client, one) if is_sweep(one) else ask(client, one)

        print_each(each((("", one) for one in ids), asked), json, standing)


def _ask_runs(
    ids: list[str],
    ask: Callable[[Client, str], Run],
    fits: Fits,
    json: bool,
    url: str | None,
    api_key: str | None,
    line: Callable[[Run], str] = standing,
) -> None:
    """What is asked run by run: of a sweep, all that it fits."""
    with Client.from_home(url, api_key) as client:
        meant = run_ids(client, ids, fits)
        print_each(each((("", one) for one in meant), lambda one: ask(client, one)), json, line)
