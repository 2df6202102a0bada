"""Sweeps, and the runs they are made of."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from api.schemas.base import Body, Json, State, _finite
from api.schemas.runs import PRIORITY


class SweepPlan(Body):
    """A run for every combination of values and every seed; at most 256."""

    name: str = Field("", max_length=80, pattern=r"^[^\x00-\x1f]*$")
    spec: Json
    matrix: Annotated[dict[str, Annotated[list[Any], Field(min_length=1, max_length=256)]], AfterValidator(_finite)] = (
        Field({}, max_length=8, description='Values by path: {"optimizer.lr": [1e-4, 3e-4]}.')
    )
    seeds: list[Annotated[int, Field(ge=0, lt=2**31)]] = Field([], max_length=256)
    priority: int = PRIORITY


class Sweep(Body):
    """The parent of runs; `states` counts them by state."""

    id: str
    name: str
    created_by: str
    created_at: datetime
    states: dict[State, int]
    archived_at: datetime | None = Field(description="When the last of its runs was; null unless all are.")
    deleted_at: datetime | None = Field(description="When the last of its runs was; null unless all are.")


class SweepRun(Body):
    id: str
    name: str
    state: State
    reason: str | None
    step: int
    total_steps: int
    overrides: dict[str, Any] | None
    deleted_at: datetime | None


class SweepDetail(Sweep):
    spec: dict[str, Any]
    matrix: dict[str, list[Any]]
    seeds: list[int]
    runs: list[SweepRun]
