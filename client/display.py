"""Draws RunViews: live lines on a terminal, a line now and then elsewhere, and the table at the end."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.table import Table

from client import progress as words
from client.progress import RunView

STATE_STYLE = {
    "succeeded": "green",
    "failed": "red",
    "cancelled": "yellow",
    "paused": "yellow",
    "running": "cyan",
    "starting": "cyan",
}


class Display:
    """Shows the views that it is given; `update` is called after each event."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._bars = _bars(console) if console.is_terminal else None
        self._tasks: dict[str, TaskID] = {}
        self._told: dict[str, tuple[str, int]] = {}
        self._noted: dict[str, int] = {}

    @contextmanager
    def live(self, views: Iterable[RunView]) -> Iterator[None]:
        for view in views:
            self._told[view.run_id] = words.milestone(view)
        if self._bars is None:
            yield
            return
        with self._bars:
            for view in views:
                self._tasks[view.run_id] = self._bars.add_task("", total=None, **_fields(view))
            yield

    def update(self, view: RunView) -> None:
        for note in view.notes[self._noted.get(view.run_id, 0) :]:
            self.console.print(f"[yellow]{escape(view.name)}: {escape(note)}[/]", highlight=False)
        self._noted[view.run_id] = len(view.notes)
        if self._bars is not None:
            task = self._tasks[view.run_id]
            self._bars.update(task, completed=view.done, total=view.total or None, **_fields(view))
        elif self._told.get(view.run_id) != (reached := words.milestone(view)):
            self._told[view.run_id] = reached
            self.console.print(escape(words.plain_line(view)), highlight=False, soft_wrap=True)


def _bars(console: Console) -> Progress:
    return Progress(
        TextColumn("[bold]{task.fields[name]}"),
        TextColumn("{task.fields[headline]}", style="cyan"),
        BarColumn(bar_width=24),
        TextColumn("reward {task.fields[reward]}"),
        TextColumn("guided {task.fields[guided]}", style="magenta"),
        TextColumn("{task.fields[left]}", style="dim"),
        console=console,
        refresh_per_second=4,
    )


def _fields(view: RunView) -> dict[str, Any]:
    left = words.duration(words.seconds_left(view)) if view.state == "running" else ""
    return {
        "name": escape(view.name),
        "headline": words.headline(view),
        "reward": words.number(words.last_mean(view.rewards)),
        "guided": words.percent(words.last_mean(view.shares)),
        "left": f"{left} left" if left else "",
    }


def result_table(views: Iterable[RunView]) -> Table:
    """Per run: its end, unguided reward and guided share at first and last, benchmark scores with intervals."""
    table = Table(title=None, box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for heading in ("run", "state", "unguided reward", "guided", "scores"):
        table.add_column(heading, overflow="fold")
    for view in views:
        rewards = words.change(
            words.number(words.first_mean(view.rewards)), words.number(words.last_mean(view.rewards))
        )
        shares = words.change(words.percent(words.first_mean(view.shares)), words.percent(words.last_mean(view.shares)))
        scores = "\n".join(words.score_words(*pair) for pair in words.first_and_last_scores(view))
        table.add_row(escape(view.name), state_text(view.state, view.reason), rewards, shares, escape(scores) or "–")
    return table


def state_text(state: str, reason: str | None = None) -> str:
    style = STATE_STYLE.get(state, "dim")
    return f"[{style}]{state}[/]" + (f" [dim]({reason})[/]" if reason and state == "failed" else "")


def print_results(console: Console, views: list[RunView]) -> None:
    """The table, unless nothing ever began; then why each run failed."""
    if any(view.step_seconds or view.scores or view.state != "failed" for view in views):
        console.print()
        console.print(result_table(views))
        console.print(f"\n[dim]{legend(views)}[/]", highlight=False)
    for view in views:
        if view.state == "failed" and view.message:
            console.print(f"\n[red]{escape(view.name)} failed:[/] {escape(view.message)}", highlight=False)


def legend(views: list[RunView]) -> str:
    """What the table's numbers are."""
    means = f"Reward and guided share: mean of the first {words.WINDOW} steps → of the last {words.WINDOW}."
    levels = sorted({line.confidence for view in views for line in words.final_scores(view)})
    if not levels:
        return means
    intervals = ", ".join(f"{100 * level:g} %" for level in levels)
    return f"{means} Scores: first → last, with the last one's {intervals} interval."
