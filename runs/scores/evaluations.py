"""What a model answered in one evaluation of a benchmark, problem by problem, beside how often it was right before.

The answers are in `RUN_DIR/evaluations/[step-NNNNNN/]NAME.parquet` (`trapo_core/evaluate.py`), how often earlier
evaluations were right in the table of outcomes. A problem is known by its place in the file, from 0. Files of steps
that a resume superseded, or that told no score, are not shown.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pyarrow.compute as pc
import pyarrow.parquet as pq
from sqlalchemy.orm import Session

from runs.errors import NotFoundError
from runs.record import curves, row_groups
from runs.record.groups import Verdict, verdict_of
from runs.record.rollouts import cut
from runs.scores import board
from runs.tables import RunRow

EARLIER = 30  # evaluations, the latest of those before
Change = Literal["any", "better", "worse"]
_TEXTS = ("problem", "prompt", "answer", "completion")
_MARKS = ("sample", "tokens", "finish", "score", "outcome")


@dataclass(frozen=True)
class ItemFilter:
    """None means any. `change` is in how often it was right, since the evaluation before; `contains` is looked for in
    problem, prompt, expected answer and completions, whatever the case."""

    verdict: Verdict | None = None
    change: Change | None = None
    contains: str | None = None


@dataclass(frozen=True)
class _Item:
    """The rows [first, last) of one problem, and how often it was right now and before."""

    place: int
    first: int
    last: int
    verdict: Verdict
    right: int
    before: int | None

    def fits(self, wanted: ItemFilter) -> bool:
        more = 0 if self.before is None else self.right - self.before
        changed = {None: True, "any": more != 0, "better": more > 0, "worse": more < 0}[wanted.change]
        return changed and wanted.verdict in (None, self.verdict)


@dataclass(frozen=True)
class Evaluation:
    """One evaluation that is shown: its file, and the outcomes of this step and of earlier ones on the same problems,
    oldest first."""

    path: Path
    step: int
    outcomes: list[tuple[int, Sequence[int]]]


def find(session: Session, run_dir: Path, run: RunRow, step: int, benchmark: str) -> Evaluation:
    """NotFoundError if there is no such evaluation, or its answers are not here."""
    if (step, benchmark) not in {(row.step, row.benchmark) for row in curves.scores(session, run.id)}:
        raise NotFoundError(f"{benchmark} was not evaluated at step {step}.", "GET …/scores lists what was.")
    path = _path(run_dir, run.kind, step, benchmark)
    if not path.is_file():
        raise NotFoundError(f"The answers to {benchmark} of step {step} are not here.", "Only its scores are known.")
    told = [row for row in curves.outcomes(session, run.id, benchmark) if row.step <= step]
    same = [row for row in told if row.problems_digest == told[-1].problems_digest]
    return Evaluation(path, step, [(row.step, board.right_of(row)) for row in same])


def page(found: Evaluation, wanted: ItemFilter, limit: int, cursor: int) -> dict[str, Any]:
    """Problems from place `cursor` on, in the order of the file, and how many there are of each sort."""
    with pq.ParquetFile(found.path) as file:
        marks = file.read(["sample", "score"])
        items = _items(marks["sample"].to_pylist(), marks["score"].to_pylist(), found)
        hits = _holding(file, wanted.contains) if wanted.contains else None
        fit = [one for one in items if one.fits(wanted) and _hit(one, hits)]
        shown = [one for one in fit if one.place >= cursor]
        rows = [row for one in shown[:limit] for row in range(one.first, one.last)]
        texts = iter(_rows(file, rows))
    before = _before(found)
    data = [_shown(one, [next(texts) for _ in range(one.first, one.last)], found, short=True) for one in shown[:limit]]
    return {
        "data": data,
        "next_cursor": str(shown[limit].place) if len(shown) > limit else None,
        "total": len(fit),
        "counts": _counts(items),
        "before": before[0] if before else None,
    }


def one(found: Evaluation, place: int) -> dict[str, Any]:
    """A problem with its whole texts."""
    with pq.ParquetFile(found.path) as file:
        marks = file.read(["sample", "score"])
        for item in _items(marks["sample"].to_pylist(), marks["score"].to_pylist(), found):
            if item.place == place:
                return _shown(item, _rows(file, range(item.first, item.last)), found, short=False)
    raise NotFoundError(f"This evaluation has no problem at place {place}.", "Places are those of the list, from 0.")


def _path(run_dir: Path, kind: str, step: int, benchmark: str) -> Path:
    """A process wrote the benchmark's name; it may not lead out of the run's folder."""
    folder = run_dir / "evaluations"
    path = (folder if kind == "eval" else folder / f"step-{step:06d}") / f"{benchmark}.parquet"
    return path if path.resolve().is_relative_to(folder.resolve()) else run_dir / "\uffff outside"


def _before(found: Evaluation) -> tuple[int, Sequence[int]] | None:
    earlier = [told for told in found.outcomes if told[0] < found.step]
    return earlier[-1] if earlier else None


def _items(samples: list[int], scores: list[float], found: Evaluation) -> list[_Item]:
    """The samples of a problem stand together and count from 0."""
    firsts = [row for row, sample in enumerate(samples) if sample == 0]
    before = _before(found)
    made = []
    for place, (first, last) in enumerate(zip(firsts, [*firsts[1:], len(samples)], strict=True)):
        right = sum(score == 1 for score in scores[first:last])
        known = before[1][place] if before and place < len(before[1]) else None
        made.append(_Item(place, first, last, verdict_of(scores[first:last]), right, known))
    return made


def _rows(file: pq.ParquetFile, rows: Sequence[int]) -> list[dict[str, Any]]:
    return [row for table in row_groups.take(file, rows, [*_TEXTS, *_MARKS]) for row in table.to_pylist()]


def _holding(file: pq.ParquetFile, words: str) -> set[int]:
    """The rows with these words in one of their texts."""
    hits: set[int] = set()
    for group, first, _ in row_groups.spans(file):
        table = file.read_row_group(group, list(_TEXTS))
        for name in _TEXTS:
            found = pc.indices_nonzero(pc.match_substring(table[name], words, ignore_case=True))
            hits.update(first + row for row in found.to_pylist())
    return hits


def _hit(item: _Item, hits: set[int] | None) -> bool:
    return hits is None or not hits.isdisjoint(range(item.first, item.last))


def _counts(items: list[_Item]) -> dict[str, int]:
    by_verdict = Counter[str](one.verdict for one in items)
    counts = {name: by_verdict[name] for name in ("all_right", "all_wrong", "mixed")}
    better, worse = ItemFilter(change="better"), ItemFilter(change="worse")
    return counts | {"better": sum(one.fits(better) for one in items), "worse": sum(one.fits(worse) for one in items)}


def _shown(item: _Item, rows: list[dict[str, Any]], found: Evaluation, *, short: bool) -> dict[str, Any]:
    # An answer stands at the end; a question is known by how it begins.
    answers = [
        {name: row[name] for name in _MARKS}
        | {"completion": cut(row["completion"][::-1])[::-1] if short else row["completion"]}
        for row in rows
    ]
    told = [(step, right) for step, right in found.outcomes if step < found.step][-EARLIER:]
    history = [{"step": step, "right": right[item.place]} for step, right in told if item.place < len(right)]
    return {
        "place": item.place,
        "problem": rows[0]["problem"],
        "prompt": cut(rows[0]["prompt"]) if short else rows[0]["prompt"],
        "answer": rows[0]["answer"],
        "verdict": item.verdict,
        "right": item.right,
        "samples": item.last - item.first,
        "earlier": history,
        "answers": answers,
    }
