"""Ids on the command line: a sweep stands for its runs, as far as a verb fits them."""

from collections.abc import Callable

from client.api import Client
from client.errors import ClientError
from client.models import Run
from client.refusals import each

Fits = Callable[[Run], bool]


def is_sweep(given: str) -> bool:
    return given.startswith("swp_")


def any_run(_: Run) -> bool:
    return True


def can_pause(run: Run) -> bool:
    return run.state in ("queued", "starting", "running")


def can_resume(run: Run) -> bool:
    """One that is still pausing, too."""
    return run.state in ("paused", "failed") or (run.state in ("starting", "running") and run.desired == "pause")


def can_retry(run: Run) -> bool:
    return run.state in ("failed", "cancelled")


def waits(run: Run) -> bool:
    return run.state in ("queued", "paused")


def run_ids(client: Client, given: list[str], fits: Fits) -> list[str]:
    """The runs that are meant; a run that is named itself is the service's to judge. A sweep that is not there, or has
    no run that fits, is told before anything is done."""
    found = each((("", one) for one in given), lambda one: _runs_of(client, one, fits) if is_sweep(one) else [one])
    return list(dict.fromkeys(run_id for several in list(found) for run_id in several))


def _runs_of(client: Client, sweep_id: str, fits: Fits) -> list[str]:
    """In the order in which they were made. Those that are archived or deleted are out of the way."""
    sweep = client.get_sweep(sweep_id)
    found = [run.id for run in client.runs(len(sweep.runs) or 1, sweep=sweep_id, sort="created_at") if fits(run)]
    if not found:
        states = ", ".join(f"{count} {state}" for state, count in sweep.states.items())
        raise ClientError(f"Sweep {sweep_id} has no run of which that can be asked.", f"Its runs: {states or 'none'}.")
    return found
