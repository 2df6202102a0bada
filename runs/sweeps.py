"""Sweeps: one spec, a matrix of changed fields, some seeds; a run for each point and seed, all made at once or none."""

from dataclasses import dataclass
from itertools import product
from math import prod
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session
from ulid import ULID

from runs import store
from runs.admission import admit
from runs.db import reading, writing
from runs.errors import NotFoundError
from runs.overrides import blamed_on, overridden
from runs.states import FINAL
from runs.submission import Order, Service, Spec
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
        session.refresh(sweep)
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


def list_sweeps(session: Session, limit: int, before: str | None) -> list[SweepRow]:
    """Newest first; `before` is the last id of the page before."""
    query = select(SweepRow).order_by(SweepRow.id.desc()).limit(limit)
    return list(session.scalars(query if before is None else query.where(SweepRow.id < before)))


def children(session: Session, sweep_id: str) -> list[RunRow]:
    return list(session.scalars(select(RunRow).where(RunRow.sweep_id == sweep_id).order_by(RunRow.id)))


def states(session: Session, sweep_ids: list[str]) -> dict[str, dict[str, int]]:
    """How many runs of each sweep are in which state."""
    query = select(RunRow.sweep_id, RunRow.state, func.count()).where(RunRow.sweep_id.in_(sweep_ids))
    found: dict[str, dict[str, int]] = {sweep_id: {} for sweep_id in sweep_ids}
    for sweep_id, state, count in session.execute(query.group_by(RunRow.sweep_id, RunRow.state)):
        found[sweep_id or ""][state] = count
    return found


def cancel(session: Session, sweep_id: str) -> SweepRow:
    """Every run that has not ended."""
    sweep = get_sweep(session, sweep_id)
    for run in children(session, sweep_id):
        if run.state not in FINAL and run.deleted_at is None:
            store.cancel(session, run.id)
    return sweep


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
