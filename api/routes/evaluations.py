"""What was answered in one evaluation of a benchmark, problem by problem."""

from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field
from sqlalchemy import Engine

from api.deps import Config, Db
from api.schemas.evaluations import EvaluatedProblem, EvaluatedProblems
from runs.db import reading
from runs.life import store
from runs.record.groups import Verdict
from runs.scores import evaluations
from runs.scores.evaluations import Change, Evaluation, ItemFilter
from runs.settings import Settings

router = APIRouter(tags=["readings"])
Number = Annotated[int, Path(ge=0, lt=2**31)]
Benchmark = Annotated[str, Path(max_length=64, pattern=r"^[^\x00]*$")]
ONE = "/runs/{run_id}/evaluations/{step}/{benchmark}"


class AskedProblems(BaseModel):
    verdict: Verdict | None = None
    change: Change | None = Field(None, description="In how often it was right, since the evaluation before.")
    contains: Annotated[str | None, Field(min_length=1, max_length=200, pattern=r"^[^\x00]*$")] = None
    limit: int = Field(20, ge=1, le=50)
    cursor: int = Field(0, ge=0, lt=2**31)


@router.get(ONE)
def list_evaluated_problems(
    run_id: str, step: Number, benchmark: Benchmark, db: Db, config: Config, asked: Annotated[AskedProblems, Query()]
) -> EvaluatedProblems:  # fmt: skip
    """In the benchmark's order. 404 where only the scores are known, as of an import."""
    found = _find(db, config, run_id, step, benchmark)
    wanted = ItemFilter(asked.verdict, asked.change, asked.contains)
    return EvaluatedProblems.model_validate(evaluations.page(found, wanted, asked.limit, asked.cursor))


@router.get(f"{ONE}/{{place}}")
def get_evaluated_problem(
    run_id: str, step: Number, benchmark: Benchmark, place: Number, db: Db, config: Config
) -> EvaluatedProblem:  # fmt: skip
    """With its whole texts."""
    found = _find(db, config, run_id, step, benchmark)
    return EvaluatedProblem.model_validate(evaluations.one(found, place))


def _find(db: Engine, config: Settings, run_id: str, step: int, benchmark: str) -> Evaluation:
    with reading(db) as session:
        run = store.get_run(session, run_id)
        return evaluations.find(session, config.run_dir(run.id), run, step, benchmark)
