"""How runs come to be: from a spec, or from another run. Inputs are read before the transaction that stores the run."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine

from runs.db import reading, writing
from runs.errors import ConflictError
from runs.files import has_room
from runs.life import store
from runs.life.admission import admit
from runs.life.overrides import blamed_on, overridden
from runs.life.workers import live_gpus
from runs.record.checkpoints import publish
from runs.record.curves import checkpoints
from runs.settings import Settings
from runs.tables import CheckpointRow, RunRow
from trapo_core.errors import DiskError, FieldProblem, SpecError
from trapo_core.spec import EvalSpec, TrainSpec

Spec = TrainSpec | EvalSpec
Made = tuple[Spec, dict[str, Any], CheckpointRow | None]  # what it was made from, and whose weights it begins with


@dataclass(frozen=True)
class Order:
    """Who asks for runs, and how. The same `key` with the same body is the same order."""

    principal: str
    key: str | None = None
    priority: int = 0


@dataclass(frozen=True)
class Service:
    """What is needed to take an order."""

    engine: Engine
    settings: Settings

    def live_gpus(self) -> list[int]:
        with reading(self.engine) as session:
            return live_gpus(session, self.settings)

    def check_room(self, more: int = 0) -> None:
        """Raises DiskError if no run could write anything once `more` bytes have come."""
        if not has_room(self.settings, more):
            raise DiskError("The disk of the service's home is nearly full.", "Delete runs or free space, then submit.")


def submit(service: Service, body: dict[str, Any], order: Order) -> tuple[RunRow, bool]:
    """(the run, whether it is new)."""
    return _once(service, body, order, lambda: (admit(body, service.settings, service.live_gpus()), {}, None))


def clone(
    service: Service, run_id: str, overrides: dict[str, Any], from_checkpoint: int | None, order: Order
) -> tuple[RunRow, bool]:
    """(the new run, whether it is new): the spec of `run_id` with `overrides`. With `from_checkpoint` it begins, at its
    own step 0, with the weights that the other had at that step."""

    def made() -> Made:
        with reading(service.engine) as session:
            parent = store.get_run(session, run_id)
            saved = None if from_checkpoint is None else _checkpoint(checkpoints(session, run_id), from_checkpoint)
        if parent.deleted_at is not None:
            raise ConflictError(f"Run {run_id} is deleted, so it cannot be cloned.", "Undelete it first.")
        body = overridden(parent.spec, _without_method(overrides))
        if parent.kind == "import":
            raise ConflictError(f"Run {run_id} was imported without a spec of ours.", "Submit a spec instead.")
        if saved is not None:
            body["model"] = {"source": "folder", "path": publish(service.settings, saved)}
        try:
            spec = admit(body, service.settings, service.live_gpus())
        except SpecError as error:
            raise SpecError(blamed_on(error.problems, overrides, "/overrides", "")) from error
        origin = {"from_checkpoint": from_checkpoint} if saved else {}
        return spec, {"parent_id": run_id, "overrides": overrides | origin}, saved

    body = {"clone": run_id, "overrides": overrides, "from_checkpoint": from_checkpoint}
    return _once(service, body, order, made)


def _checkpoint(found: list[CheckpointRow], step: int) -> CheckpointRow:
    for row in found:
        if row.step == step:
            return row
    steps = ", ".join(str(row.step) for row in found[-10:]) or "none"
    problem = FieldProblem("/from_checkpoint", f"there is no checkpoint of step {step}.", f"There are: {steps}.")
    raise SpecError([problem])


def _without_method(overrides: dict[str, Any]) -> dict[str, Any]:
    if "method" in overrides:
        text = "a stored spec has its method's values filled in; another name would not change them."
        raise SpecError([FieldProblem("/overrides/method", text, "Submit a new spec with the other method.")])
    return overrides


def _once(service: Service, body: dict[str, Any], order: Order, make: Callable[[], Made]) -> tuple[RunRow, bool]:
    with reading(service.engine) as session:
        before = store.replayed(session, order.principal, order.key, body)
    if before:
        return before, False
    service.check_room()
    spec, origin, saved = make()
    with writing(service.engine) as session:
        if before := store.replayed(session, order.principal, order.key, body):  # its twin was faster
            return before, False
        if saved is not None:
            publish(service.settings, saved)  # there already, unless `gc` took it before this run named it
        run = store.create_run(session, spec, order.principal, priority=order.priority, **origin)
        if order.key:
            store.remember(session, order.principal, order.key, body, run_id=run.id)
    return run, True
