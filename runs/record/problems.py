"""Which problems still need help: what each needed at every visit, and of late.

A problem's *help* at a visit is the share of the expert trace that a sample is expected to need: the failure rate as a
function of the prefix's share, integrated from 0 to 1. Between two prefixes that were tried the shorter one's rate
holds. 0: right alone every time. 1: wrong however much was given. Of late means that a visit weighs as much as all
visits before it together.

`problems` holds these per problem and is derived from `visits`: step by step while a run goes on, anew for the problems
of steps that a resume made void.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, bindparam, case, delete, func, or_, select, union_all
from sqlalchemy.orm import Session

from runs import cursors
from runs.db import insert_many, to_json, upsert_many
from runs.record.rollups import history
from runs.tables import ProblemRow, VisitRow

KINDS: dict[str, type[str] | type[int] | type[float]] = {
    "help": float, "visits": int, "last_step": int, "problem": str,
}  # fmt: skip
SORTS: dict[str, Any] = {
    "help": ProblemRow.help, "visits": ProblemRow.visits, "last_step": ProblemRow.last_step,
    "problem": ProblemRow.problem,
}  # fmt: skip
PLAIN, LISTS = ("problem", "step", "place", "segment"), ("samples", "ratios", "rewards")
VISIT = ("run_id", *PLAIN, *LISTS)
DERIVED = ("visits", "last_step", "help", "alone")  # columns that `went_on` gives
AT_ONCE = 500  # names in one statement
SHARE_BINS = 10


@dataclass(frozen=True)
class ProblemPage:
    """`data` as `api/schemas/guidance.py` has it. `shares[i]` problems of the run need help in [i, i+1) tenths of the
    trace."""

    data: list[dict[str, Any]]
    next_cursor: str | None
    shares: list[int]


# --- arithmetic -------------------------------------------------------------------------------------------------------


def failure_by_ratio(
    samples: Sequence[int], ratios: Sequence[float], rewards: Sequence[float]
) -> list[tuple[float, float]]:
    """(prefix ratio, failure rate) of one visit, rising; slots with the same prefix are one."""
    sums: dict[float, list[float]] = {}
    for n, ratio, reward in zip(samples, ratios, rewards, strict=True):
        of_ratio = sums.setdefault(ratio, [0.0, 0.0])
        of_ratio[0] += n
        of_ratio[1] += reward
    return [(ratio, min(1.0, max(0.0, 1 - right / n))) for ratio, (n, right) in sorted(sums.items()) if n]


def visit_help(samples: Sequence[int], ratios: Sequence[float], rewards: Sequence[float]) -> float:
    rates = failure_by_ratio(samples, ratios, rewards)
    lows = [0.0, *(ratio for ratio, _ in rates[1:])]
    highs = [*lows[1:], 1.0]
    return sum(rate * (high - low) for (_, rate), low, high in zip(rates, lows, highs, strict=False))


def visit_alone(samples: Sequence[int], ratios: Sequence[float], rewards: Sequence[float]) -> float | None:
    """Success rate of the samples without a prefix; None if there were none."""
    rates = dict(failure_by_ratio(samples, ratios, rewards))
    return 1 - rates[0.0] if 0.0 in rates else None


def went_on(known: dict[str, Any] | None, visit: dict[str, Any]) -> dict[str, Any]:
    """A problem's derived values after one more visit."""
    of_visit = (visit["samples"], visit["ratios"], visit["rewards"])
    needed, alone = visit_help(*of_visit), visit_alone(*of_visit)
    if known is not None:
        needed = (known["help"] + needed) / 2
        before = known["alone"]
        alone = before if alone is None else alone if before is None else (before + alone) / 2
    visits = (known["visits"] if known else 0) + 1
    return {"visits": visits, "last_step": visit["step"], "help": needed, "alone": alone}


# --- writing ----------------------------------------------------------------------------------------------------------


def store_visits(
    session: Session, run_id: str, visits: list[dict[str, Any]], texts: dict[str, str], resumed_from: int | None
) -> None:
    """New visits in the order of their telling. `resumed_from`: these lines tell of a resume that made later steps of
    earlier segments void."""
    insert_many(session, VisitRow, VISIT, [_as_stored(run_id, visit) for visit in visits])
    names = {visit["problem"] for visit in visits}
    if resumed_from is None:
        known = {name: row for part in _parts(sorted(names)) for name, row in _known(session, run_id, part)}
        told: Iterable[dict[str, Any]] = visits
    else:
        void = select(VisitRow.problem).where(VisitRow.run_id == run_id, VisitRow.step > resumed_from)
        names |= set(session.scalars(void.distinct()))
        known, told = {}, _visits(session, run_id, sorted(names))
    fresh = dict(known)
    for visit in told:
        fresh[visit["problem"]] = went_on(fresh.get(visit["problem"]), visit)
    _put(session, run_id, {name: fresh[name] for name in names if name in fresh}, texts)
    gone = [name for name in names if name not in fresh]
    for part in _parts(gone):
        session.execute(delete(ProblemRow).where(ProblemRow.run_id == run_id, ProblemRow.problem.in_(part)))


def _put(session: Session, run_id: str, fresh: dict[str, dict[str, Any]], texts: dict[str, str]) -> None:
    rows = [(run_id, name, texts.get(name, ""), *(of[key] for key in DERIVED)) for name, of in fresh.items()]
    upsert_many(session, ProblemRow, ("run_id", "problem", "text", *DERIVED), rows, DERIVED)


def _as_stored(run_id: str, visit: dict[str, Any]) -> tuple[Any, ...]:
    return run_id, *(visit[name] for name in PLAIN), *(to_json(visit[name]) for name in LISTS)


def _parts(names: list[str]) -> Iterator[list[str]]:
    return (names[start : start + AT_ONCE] for start in range(0, len(names), AT_ONCE))


def _known(session: Session, run_id: str, names: list[str]) -> list[tuple[str, dict[str, Any]]]:
    rows = session.connection().execute(_derived(), {"of_run": run_id, "names": names})
    return [(problem, dict(zip(DERIVED, values, strict=True))) for problem, *values in rows]


@cache
def _derived() -> Select[Any]:
    columns = ProblemRow.__table__.c
    of_run = (columns.run_id == bindparam("of_run"), columns.problem.in_(bindparam("names", expanding=True)))
    return select(columns.problem, *(columns[name] for name in DERIVED)).where(*of_run)


def _visits(session: Session, run_id: str, names: list[str]) -> Iterable[dict[str, Any]]:
    """All that count, in their order."""
    counts = history(session, run_id).counting(row=VisitRow)
    columns = [getattr(VisitRow, name) for name in ("problem", "step", "samples", "ratios", "rewards")]
    for part in _parts(names):
        query = select(*columns).where(VisitRow.run_id == run_id, VisitRow.problem.in_(part), counts)
        for row in session.execute(query.order_by(VisitRow.step, VisitRow.place)).mappings():
            yield dict(row)


# --- reading ----------------------------------------------------------------------------------------------------------


def page(
    session: Session, run_id: str, *, contains: str | None, sort: str, limit: int, cursor: str | None, visits: int
) -> ProblemPage:
    """Problems with their latest visits, oldest first. `contains`: in id or text, whatever the case."""
    falling, name = sort.startswith("-"), sort.removeprefix("-")
    value = SORTS[name]
    query = select(ProblemRow).where(ProblemRow.run_id == run_id)
    if contains:
        looked_in = (ProblemRow.problem, ProblemRow.text)
        query = query.where(or_(*(column.icontains(contains, autoescape=True) for column in looked_in)))
    if cursor:
        last = cursors.read(cursor, sort, KINDS[name], below=2 ** (31 if name == "visits" else 63))
        query = query.where(_beyond(value, falling, *last))
    order = (value.desc() if falling else value, ProblemRow.problem)
    found = list(session.scalars(query.order_by(*order).limit(limit + 1)))
    shown = found[:limit]
    past = _latest(session, run_id, [row.problem for row in shown], visits)
    data = [{**_values(row), "history": past.get(row.problem, [])} for row in shown]
    following = cursors.write(sort, getattr(shown[-1], name), shown[-1].problem) if len(found) > limit else None
    return ProblemPage(data, following, _shares(session, run_id))


def _values(row: ProblemRow) -> dict[str, Any]:
    return {name: getattr(row, name) for name in ("problem", "text", "visits", "last_step", "help", "alone")}


def _latest(session: Session, run_id: str, names: list[str], visits: int) -> dict[str, list[dict[str, Any]]]:
    if not names:
        return {}
    counts = history(session, run_id).counting(row=VisitRow)
    columns = [getattr(VisitRow, name) for name in ("problem", "step", "place", "samples", "ratios", "rewards")]
    parts = [
        select(
            select(*columns)
            .where(VisitRow.run_id == run_id, VisitRow.problem == name, counts)
            .order_by(VisitRow.step.desc(), VisitRow.place.desc())
            .limit(visits)
            .subquery()
        )
        for name in names
    ]
    whole = union_all(*parts).subquery()
    rows = session.execute(select(whole).order_by(whole.c.problem, whole.c.step, whole.c.place)).mappings()
    return {
        name: [{key: row[key] for key in ("step", "samples", "ratios", "rewards")} for row in of_problem]
        for name, of_problem in groupby(rows, key=lambda row: row["problem"])
    }


def _shares(session: Session, run_id: str) -> list[int]:
    columns = []
    for place in range(SHARE_BINS):
        inside = [ProblemRow.help >= place / SHARE_BINS] if place else []
        inside += [ProblemRow.help < (place + 1) / SHARE_BINS] if place + 1 < SHARE_BINS else []
        columns.append(func.coalesce(func.sum(case((and_(*inside), 1), else_=0)), 0))
    return [int(count) for count in session.execute(select(*columns).where(ProblemRow.run_id == run_id)).one()]


def _beyond(value: Any, falling: bool, last_value: Any, last_problem: str) -> ColumnElement[bool]:
    further = value < last_value if falling else value > last_value
    return or_(further, and_(value == last_value, ProblemRow.problem > last_problem))
