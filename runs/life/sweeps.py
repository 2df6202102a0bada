"""Sweeps: one spec, a matrix of changed fields, some seeds; a run for each point and seed, all made at once or none.

A sweep has no marks of its own: it is deleted when all its runs are, and archived when all that are not deleted are. So
it cannot disagree with them, and goes with the last of them.
"""

from dataclasses import dataclass
from datetime import datetime
from itertools import product
from math import prod
from typing import Any

from sqlalchemy import ColumnElement, and_, func, select
from sqlalchemy.orm import Session
from ulid import ULID

from runs.db import reading, writing
from runs.errors import ConflictError, NotFoundError
from runs.life import removal, store
from runs.life.admission import admit
from runs.life.overrides import blamed_on, overridden
from runs.life.submission import Order, Service, Spec
from runs.settings import Settings
from runs.states import FINAL
from runs.tables import RunRow, SweepRow
from trapo_core.errors import FieldProblem, SpecError

MAX_RUNS = 256
Child = tuple[Spec, dict[str, Any]]  # and its overrides


@dataclass(frozen=True)
class Plan:
    """What a sweep is asked to be; `matrix` maps a field's path to its values."""

    name: str
    spec: dict[str, Any]
    matrix: dict[str, list[Any]]
    seeds: list[int]

    def as_body(self) -> dict[str, Any]:
        return {"sweep": {"name": self.name, "spec": self.spec, "matrix": self.matrix, "seeds": self.seeds}}


def points(plan: Plan) -> list[dict[str, Any]]:
    """The overrides of every point of the matrix. SpecError if there would be too many runs, or one twice."""
    problems = [
        FieldProblem(f"/matrix/{path}", "has a value twice.", "Give seeds to repeat a run.")
        for path, values in plan.matrix.items()
        if any(value in values[:place] for place, value in enumerate(values))
    ]
    if "seed" in plan.matrix:
        problems.append(FieldProblem("/matrix/seed", "seeds have a field of their own.", "Use seeds."))
    if len(set(plan.seeds)) < len(plan.seeds):
        problems.append(FieldProblem("/seeds", "has a seed twice.", "Name each seed once."))
    if (count := prod(map(len, plan.matrix.values())) * max(1, len(plan.seeds))) > MAX_RUNS:
        text = f"makes {count} runs, and a sweep has at most {MAX_RUNS}."
        problems.append(FieldProblem("/matrix", text, "Split it, or take fewer values or seeds."))
    if problems:
        raise SpecError(problems)
    return [dict(zip(plan.matrix, values, strict=True)) for values in product(*plan.matrix.values())]


def submit(service: Service, plan: Plan, order: Order) -> tuple[SweepRow, list[RunRow], bool]:
    """(the sweep, its runs, whether it is new)."""
    with reading(service.engine) as session:
        if before := _replayed(session, plan, order):
            return before, children(session, before.id), False
    service.check_room()
    made = _children(service, plan)
    with writing(service.engine) as session:
        if before := _replayed(session, plan, order):
            return before, children(session, before.id), False
        sweep = SweepRow(
            id=f"swp_{ULID()}", name=plan.name or made[0][0].name or store.default_name(made[0][0]), spec=plan.spec,
            matrix=plan.matrix, seeds=plan.seeds, created_by=order.principal,
        )  # fmt: skip
        session.add(sweep)
        session.flush()
        runs = [
            store.create_run(
                session, spec, order.principal, priority=order.priority, sweep_id=sweep.id, overrides=overrides
            )
            for spec, overrides in made
        ]
        if order.key:
            store.remember(session, order.principal, order.key, plan.as_body(), sweep_id=sweep.id)
    return sweep, runs, True


def get_sweep(session: Session, sweep_id: str) -> SweepRow:
    sweep = session.get(SweepRow, sweep_id)
    if sweep is None:
        raise NotFoundError(f"There is no sweep {sweep_id}.", "GET /api/v1/sweeps lists those there are.")
    return sweep


def list_sweeps(
    session: Session, limit: int, before: str | None, *, archived: bool = False, deleted: bool = False
) -> list[SweepRow]:
    """Newest first; `before` is the last id of the page before. Those that are archived or deleted, instead of those
    that are neither."""
    query = select(SweepRow).where(_shown(archived, deleted)).order_by(SweepRow.id.desc()).limit(limit)
    return list(session.scalars(query if before is None else query.where(SweepRow.id < before)))


def _shown(archived: bool, deleted: bool) -> ColumnElement[bool]:
    kept = removal.HAS_RUNS.where(RunRow.deleted_at.is_(None))
    if deleted:
        return ~kept
    in_lists = kept.where(RunRow.archived_at.is_(None))
    return and_(kept, ~in_lists) if archived else in_lists


def children(session: Session, sweep_id: str) -> list[RunRow]:
    return list(session.scalars(select(RunRow).where(RunRow.sweep_id == sweep_id).order_by(RunRow.id)))


@dataclass
class Tally:
    """What a sweep is by its runs: how many of them are in which state, and whether all are put away."""

    states: dict[str, int]
    archived_at: datetime | None = None
    deleted_at: datetime | None = None


def tallies(session: Session, sweep_ids: list[str]) -> dict[str, Tally]:
    kept = RunRow.deleted_at.is_(None)
    counted = select(
        RunRow.sweep_id, RunRow.state, func.count(), func.count().filter(kept),
        func.count().filter(kept, RunRow.archived_at.is_(None)), func.max(RunRow.deleted_at),
        func.max(RunRow.archived_at).filter(kept),
    ).where(RunRow.sweep_id.in_(sweep_ids)).group_by(RunRow.sweep_id, RunRow.state)  # fmt: skip
    rows: dict[str, list[Any]] = {sweep_id: [] for sweep_id in sweep_ids}
    for row in session.execute(counted):
        rows[row[0] or ""].append(row[1:])
    return {sweep_id: _tally(found) for sweep_id, found in rows.items()}


def _tally(rows: list[Any]) -> Tally:
    """Of rows (state, runs, not deleted, in lists, last deletion, last archiving)."""
    tally = Tally({row[0]: row[1] for row in rows})
    if not any(row[2] for row in rows):
        tally.deleted_at = max((row[4] for row in rows if row[4]), default=None)
    elif not any(row[3] for row in rows):
        tally.archived_at = max(row[5] for row in rows if row[5])
    return tally


def cancel(session: Session, sweep_id: str) -> SweepRow:
    """Every run that has not ended."""
    sweep = get_sweep(session, sweep_id)
    for run in children(session, sweep_id):
        if run.state not in FINAL and run.deleted_at is None:
            store.cancel(session, run.id)
    return sweep


def archive(session: Session, sweep_id: str) -> SweepRow:
    """Every run that is not deleted; all or none."""
    sweep, kept = get_sweep(session, sweep_id), _kept_at_rest(session, sweep_id)
    if not kept:
        raise ConflictError(f"Sweep {sweep_id} is deleted, so it cannot be archived.", "Undelete it first.")
    for run in kept:
        removal.archive(session, run.id)
    return sweep


def unarchive(session: Session, sweep_id: str) -> SweepRow:
    sweep = get_sweep(session, sweep_id)
    for run in _kept(session, sweep_id):
        removal.unarchive(session, run.id)
    return sweep


def mark_deleted(session: Session, sweep_id: str) -> SweepRow:
    """Every run, all or none; a second time changes nothing."""
    sweep = get_sweep(session, sweep_id)
    for run in _kept_at_rest(session, sweep_id):
        removal.mark_deleted(session, run.id)
    return sweep


def undelete(session: Session, sweep_id: str, settings: Settings) -> SweepRow:
    """A deleted sweep, with all of its runs whose grace is not over."""
    sweep = get_sweep(session, sweep_id)
    if _kept(session, sweep_id):
        return sweep
    run_ids = session.scalars(select(RunRow.id).where(RunRow.sweep_id == sweep_id, removal.in_time(settings))).all()
    if not run_ids:
        raise ConflictError(f"Sweep {sweep_id} was deleted too long ago to be had back.", "Submit it again.")
    for run_id in run_ids:
        removal.undelete(session, run_id, settings)
    return sweep


def _kept(session: Session, sweep_id: str) -> list[RunRow]:
    return [run for run in children(session, sweep_id) if run.deleted_at is None]


def _kept_at_rest(session: Session, sweep_id: str) -> list[RunRow]:
    kept = _kept(session, sweep_id)
    for run in kept:
        if run.state not in removal.AT_REST:
            raise ConflictError(
                f"Run {run.id} of sweep {sweep_id} is {run.state}, so the sweep cannot be put away.",
                "Cancel the sweep, or wait for the end of its runs.",
            )
    return kept


def _replayed(session: Session, plan: Plan, order: Order) -> SweepRow | None:
    row = store.known_key(session, order.principal, order.key, plan.as_body())
    return session.get(SweepRow, row.sweep_id) if row and row.sweep_id else None


def _children(service: Service, plan: Plan) -> list[Child]:
    """Each point is checked once, with all its files: seeds do not change what it needs."""
    gpus, made = service.live_gpus(), []
    for point in points(plan):
        body = overridden(plan.spec, point, "/matrix")
        try:
            spec = admit(body, service.settings, gpus)
        except SpecError as error:
            raise SpecError(blamed_on(error.problems, point, "/matrix", "/spec")) from error
        for seed in plan.seeds or [spec.seed]:
            overrides = point | ({"seed": seed} if plan.seeds else {})
            made.append((spec.model_copy(update={"seed": seed, "name": _name(plan, spec, overrides)}), overrides))
    return made


def _name(plan: Plan, spec: Spec, overrides: dict[str, Any]) -> str:
    what = " ".join(f"{path.rpartition('.')[2]}={value}" for path, value in overrides.items())
    text = f"{plan.name or spec.name or store.default_name(spec)} {what}"
    return "".join(letter if letter.isprintable() else " " for letter in text)[:120].strip()
