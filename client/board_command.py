"""`trapo board`: the scores of all runs, with intervals, and how much better they are than a baseline."""

from collections.abc import Iterator
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from client.api import Client
from client.models import Board, BoardCell, BoardLine
from client.options import Json, Key, Url, results_console
from client.printing import print_json
from client.tables import plain

Several = list[str] | None


def board(  # noqa: PLR0913 -- options of a command
    benchmark: Annotated[Several, typer.Option(help="Only this one; repeatable.", show_default=False)] = None,
    baseline: Annotated[str | None, typer.Option(metavar="RUN", help="Show differences from it.")] = None,
    method: Annotated[str | None, typer.Option(help="Only runs of it.", show_default=False)] = None,
    tag: Annotated[Several, typer.Option(help="Only runs with it; repeatable.", show_default=False)] = None,
    sweep: Annotated[str | None, typer.Option(help="Only its runs.", show_default=False)] = None,
    seeds: Annotated[bool, typer.Option("--seeds", help="One row for runs that differ in their seed alone.")] = False,
    best: Annotated[bool, typer.Option("--best", help="At the step that keep_best names, not at the last.")] = False,
    published: Annotated[bool, typer.Option("--published", help="Also what papers print.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="Rows at most.")] = 50,
    json: Json = False,
    url: Url = None,
    api_key: Key = None,
) -> None:
    """Show benchmark scores with intervals; with --baseline also differences, by problem in pairs."""
    wanted = {"benchmark": benchmark, "baseline": baseline, "method": method, "tag": tag, "sweep": sweep}
    asked = {"group": "seeds" if seeds else "", "at": "best" if best else "", "published": "true" if published else ""}
    with Client.from_home(url, api_key) as client:
        found = client.board(limit, **wanted, **asked)
    if json:
        return print_json(found)
    console = results_console()
    if not found.data:
        return console.print("No scores yet.")
    console.print(table_of(found))
    for note in notes(found):
        console.print(f"[dim]{escape(note)}[/]", highlight=False, soft_wrap=True)


def table_of(found: Board) -> Table:
    """A row for each run, a column for each benchmark and metric."""
    columns = sorted({(cell.benchmark, cell.metric) for line in found.data for cell in line.cells})
    table = plain("run", "method", *(escape(f"{benchmark} {metric}") for benchmark, metric in columns))
    for line in found.data:
        cells = {(cell.benchmark, cell.metric): cell for cell in line.cells}
        table.add_row(_name(line, found), line.method or line.kind or "", *(_cell(cells.get(key)) for key in columns))
    return table


def notes(found: Board) -> Iterator[str]:
    cells = [cell for line in found.data for cell in line.cells]
    if confidence := next((cell.confidence for cell in cells if cell.confidence), None):
        yield f"Intervals at {100 * confidence:g} %, over problems."
    if found.baseline:
        yield f"Second lines: difference from {found.baseline.name}, by problem in pairs; p is not corrected for many."
    if any(cell.differs for cell in cells):
        yield "≠: evaluated otherwise, in the fields that are named; these scores do not compare."
    if found.next_cursor:
        yield "There are more rows: --limit."


def _name(line: BoardLine, found: Board) -> str:
    if line.source == "paper":
        return f"{escape(line.name)}\n[dim]{escape(line.citation)}[/]"
    ids = {run.id for run in line.runs}
    is_baseline = found.baseline is not None and ids == {run.id for run in found.baseline.runs}
    which = line.runs[0].id if len(line.runs) == 1 else f"{len(line.runs)} seeds, newest {line.runs[0].id}"
    return f"{escape(line.name)}{' [bold](baseline)[/]' if is_baseline else ''}\n[dim]{which}[/]"


def _cell(cell: BoardCell | None) -> str:
    if cell is None:
        return "–"
    bounds = "" if cell.low is None or cell.high is None else rf" \[{cell.low:.3f}, {cell.high:.3f}]"
    spread = f" ±{cell.spread:.3f}" if cell.spread is not None else ""
    second = f"[dim]≠ {escape(', '.join(cell.differs))}[/]" if cell.differs else difference(cell)
    return f"{cell.score:.3f}{spread}{bounds}\n{second}".rstrip()


def difference(cell: BoardCell) -> str:
    """Coloured only where the interval is on one side of zero."""
    if cell.delta is None:
        return ""
    one = cell.delta
    text = rf"{one.delta:+.3f} \[{one.low:+.3f}, {one.high:+.3f}] p {shown_p(one.p)}"
    return f"[green]{text}[/]" if one.low > 0 else f"[red]{text}[/]" if one.high < 0 else f"[dim]{text}[/]"


def shown_p(p: float) -> str:
    return "<0.001" if p < 0.001 else f"{p:.3f}"
