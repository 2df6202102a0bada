"""Follows runs of a service to their ends, and turns ends into exit statuses."""

from collections.abc import Iterable, Sequence

from rich.console import Console

from client.api import Client
from client.display import Display
from client.models import Run
from client.progress import RunView

INTERRUPTED = 130
EXIT_STATUS = {"succeeded": 0, "failed": 1, "cancelled": 3, "paused": 4}
# When several runs end differently, the exit status is that of the worst.
WORST_FIRST = ("failed", "cancelled", "paused")


def follow(client: Client, runs: Sequence[Run], console: Console) -> list[RunView]:
    """Show the runs until each has ended."""
    views = {run.id: RunView(run.id, run.name or run.id, run.total_steps) for run in runs}
    display = Display(console)
    with display.live(list(views.values())):
        for event in client.follow(list(views)):
            view = views[event.run_id]
            view.take(event.type, event.ts, event.data)
            display.update(view)
    return list(views.values())


def exit_status(states: Iterable[str]) -> int:
    found = set(states)
    return next((EXIT_STATUS[state] for state in WORST_FIRST if state in found), 0)
