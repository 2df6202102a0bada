"""`trapo compare`: in what two runs differ, then how they did. Says nothing that the fields do not: a difference in
scores between runs that differ in several fields has no one cause."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any

import typer
import yaml
from rich.markup import escape

from client.api import Client
from client.board_command import difference
from client.display import state_text
from client.models import Board, BoardCell, RunDetail, Score
from client.options import Json, Key, Url, results_console
from client.printing import print_json
from client.progress import number, percent
from client.tables import plain

# What names a run, not what it does.
LABELS = frozenset({"name", "tags"})
Pair = tuple[Any, Any]


@dataclass(frozen=True)
class Difference:
    """A field that is not the same in two specs; None where a spec does not have it."""

    field: str
    first: Any
    second: Any


@dataclass(frozen=True)
class ScorePair:
    """The last scores of two runs, by one metric of one benchmark; None where a run has none."""

    benchmark: str
    metric: str
    first: Score | None
    second: Score | None


def compare(
    first: Annotated[str, typer.Argument(metavar="RUN", help="The one to compare with.", show_default=False)],
    second: Annotated[str, typer.Argument(metavar="RUN", show_default=False)],
    json: Json = False,
    url: Url = None,
    api_key: Key = None,
) -> None:
    """Say in what two runs differ, then how they scored, with intervals."""
    with Client.from_home(url, api_key) as client:
        runs = client.get(first), client.get(second)
        scores = pairs(client.scores(first), client.scores(second))
        board = client.board(run=[first, second], baseline=first) if scores_of_both(scores) else None
        paired = compared(board, second)
    found = list(differences(runs[0].spec, runs[1].spec))
    if json:
        data = {"runs": [run.model_dump(mode="json", exclude={"spec"}) for run in runs],
                "differences": [vars(one) for one in found],
                "scores": [_as_data(pair, paired) for pair in scores]}  # fmt: skip
        return print_json(data)
    _print(runs, found, scores, paired)


def differences(first: Any, second: Any, path: str = "") -> Iterator[Difference]:
    """By field; lists of the same length item by item."""
    if first == second or path in LABELS:
        return
    keys: list[Any]
    if isinstance(first, dict) and isinstance(second, dict):
        keys = list(dict.fromkeys([*first, *second]))
        parts = [(first.get(key), second.get(key)) for key in keys]
    elif isinstance(first, list) and isinstance(second, list) and len(first) == len(second):
        keys, parts = list(range(len(first))), list(zip(first, second, strict=True))
    else:
        yield Difference(path, first, second)
        return
    for key, (one, other) in zip(keys, parts, strict=True):
        yield from differences(one, other, f"{path}.{key}" if path else str(key))


def pairs(first: list[Score], second: list[Score]) -> list[ScorePair]:
    """The last score of each benchmark and metric in either."""
    last_of = [
        {(score.benchmark, score.metric): score for score in sorted(scores, key=lambda score: score.step)}
        for scores in (first, second)
    ]
    keys = dict.fromkeys([*last_of[0], *last_of[1]])
    return [ScorePair(*key, last_of[0].get(key), last_of[1].get(key)) for key in keys]


def scores_of_both(scores: list[ScorePair]) -> bool:
    return any(pair.first and pair.second for pair in scores)


def compared(board: Board | None, run_id: str) -> dict[tuple[str, str], BoardCell]:
    """The run's cells of a board with the other as its baseline."""
    lines = [line for line in board.data if line.runs and line.runs[0].id == run_id] if board else []
    return {(cell.benchmark, cell.metric): cell for line in lines for cell in line.cells}


def gain(pair: ScorePair) -> float | None:
    return pair.second.score - pair.first.score if pair.first and pair.second else None


def _as_data(pair: ScorePair, paired: dict[tuple[str, str], BoardCell]) -> dict[str, Any]:
    cell = paired.get((pair.benchmark, pair.metric))
    told = {"delta": cell.delta and cell.delta.model_dump(), "differs": cell.differs} if cell else {}
    first, second = (score and score.model_dump(mode="json") for score in (pair.first, pair.second))
    return {
        "benchmark": pair.benchmark,
        "metric": pair.metric,
        "first": first,
        "second": second,
        "gain": gain(pair),
    } | told


def _print(
    runs: tuple[RunDetail, RunDetail], found: list[Difference], scores: list[ScorePair],
    paired: dict[tuple[str, str], BoardCell],
) -> None:  # fmt: skip
    console = results_console()
    spec_table = plain("field", *(escape(f"{run.name} ({run.id})") for run in runs))
    for one in found:
        spec_table.add_row(escape(one.field), _value(one.first), _value(one.second))
    console.print(spec_table if found else "The specs are the same.")
    table = plain("", "first", "second", "second - first")
    table.add_row("state", *(state_text(run.state, run.reason) for run in runs), "")
    table.add_row("step", *(f"{run.step}/{run.total_steps}" for run in runs), "")
    table.add_row("unguided reward", *(number(run.summary.reward_unguided) for run in runs), "")
    table.add_row("guided share", *(percent(run.summary.guided_share) for run in runs), "")
    for pair in scores:
        shown = _gain(pair, paired.get((pair.benchmark, pair.metric)))
        table.add_row(f"{escape(pair.benchmark)} {pair.metric}", _score(pair.first), _score(pair.second), shown)
    console.print()
    console.print(table)
    if scores_of_both(scores):
        note = "Intervals of scores are each run's own; that of a difference is by problem, in pairs."
        console.print(f"\n[dim]{note}[/]", highlight=False, soft_wrap=True)


def _gain(pair: ScorePair, cell: BoardCell | None) -> str:
    """In pairs where the two were evaluated alike; else why not."""
    plain_gain = gain(pair)
    if plain_gain is None:
        return "–"
    if cell and cell.delta:
        return difference(cell)
    return f"≠ {escape(', '.join(cell.differs))}" if cell and cell.differs else f"{plain_gain:+.3f}"


def _score(score: Score | None) -> str:
    if score is None:
        return "–"
    return rf"{score.score:.3f} \[{score.low:.3f}, {score.high:.3f}] at {100 * score.confidence:g} %, step {score.step}"


def _value(value: Any) -> str:
    if value is None:
        return "–"
    text = yaml.safe_dump(value, default_flow_style=True, width=10_000, allow_unicode=True)
    return escape(text.removesuffix("\n").removesuffix("\n..."))
