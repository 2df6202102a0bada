"""What a run's problems still need, and how far the expert is from the model."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from api.deps import Db
from api.routes.readings import Step
from api.schemas.guidance import TrainedProblems, TrustRegion
from runs.db import reading
from runs.life import store
from runs.record import problems, trust_region

router = APIRouter(tags=["readings"])
Sort = Literal["help", "-help", "visits", "-visits", "last_step", "-last_step", "problem", "-problem"]


class AskedProblems(BaseModel):
    sort: Sort = "-help"
    contains: Annotated[str | None, Field(min_length=1, max_length=200, pattern=r"^[^\x00]*$")] = None
    limit: int = Field(50, ge=1, le=100)
    visits: int = Field(24, ge=1, le=100, description="The latest of each problem.")
    cursor: Annotated[str | None, Field(max_length=2000)] = None


@router.get("/runs/{run_id}/problems")
def list_problems(run_id: str, db: Db, asked: Annotated[AskedProblems, Query()]) -> TrainedProblems:
    """Those that need most help of late first. Empty for runs whose process did not tell it."""
    with reading(db) as session:
        store.get_run(session, run_id)
        return TrainedProblems.model_validate(problems.page(session, run_id, **asked.model_dump()))


@router.get("/runs/{run_id}/trust-region")
def read_trust_region(run_id: str, db: Db, from_step: Step = 0, to_step: Step | None = None) -> TrustRegion:
    """Of long windows, every so many steps are added up."""
    with reading(db) as session:
        store.get_run(session, run_id)
        return TrustRegion.model_validate(trust_region.trust_region(session, run_id, from_step, to_step))
