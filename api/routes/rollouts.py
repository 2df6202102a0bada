"""A run's rollouts: found by what they are, and one of them token by token."""

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import FileResponse
from pydantic import BaseModel, Field

from api.deps import Config, Db
from api.schemas.base import Page
from api.schemas.rollouts import Groups, Rollout, RolloutDetail, TokenFacts
from runs.db import reading
from runs.life import store
from runs.record import groups, rollouts
from runs.record.rollouts import RolloutFilter
from runs.record.token_facts import token_facts
from trapo_core.spec import parse_spec

router = APIRouter(tags=["rollouts"])
Step = Annotated[int | None, Field(ge=0, lt=2**31)]
PARQUET = "application/vnd.apache.parquet"
BYTES = {"content": {PARQUET: {"schema": {"type": "string", "format": "binary"}}}, "description": "A Parquet file."}
Text = Annotated[str | None, Field(min_length=1, max_length=200)]
Reward = Annotated[float | None, Field(allow_inf_nan=False)]


class AskedRollouts(BaseModel):
    """Each as in `RolloutFilter`."""

    step: Step = None
    from_step: Step = None
    to_step: Step = None
    slot: Annotated[int | None, Field(ge=0, lt=2**15)] = None
    guided: bool | None = Field(None, description="Whether it began with an expert prefix.")
    problem: Text = None
    finish: Text = Field(None, description="stop, length or expert.")
    outcome: Text = None
    min_reward: Reward = None
    max_reward: Reward = None
    contains: Text = Field(None, description="In prompt, prefix or completion, whatever the case.")
    matches: Text = Field(None, description="A regular expression (RE2), looked for as `contains`.")
    limit: int = Field(50, ge=1, le=200)
    cursor: Text = None


@router.get("/runs/{run_id}/rollouts")
def list_rollouts(run_id: str, db: Db, config: Config, asked: Annotated[AskedRollouts, Query()]) -> Page[Rollout]:
    """Newest step first. A page may be short, or empty, while `next_cursor` says that there is more to look through."""
    with reading(db) as session:
        run = store.get_run(session, run_id)
    wanted = RolloutFilter(**asked.model_dump(exclude={"limit", "cursor"}))
    data, following = rollouts.page(config.run_dir(run.id), run.step, wanted, asked.limit, asked.cursor)
    return Page(data=[Rollout.model_validate(row) for row in data], next_cursor=following)


class AskedGroups(AskedRollouts):
    verdict: groups.Verdict | None = Field(None, description="Of the whole group, whichever of its samples match.")


@router.get("/runs/{run_id}/groups")
def list_groups(run_id: str, db: Db, config: Config, asked: Annotated[AskedGroups, Query()]) -> Groups:
    """Whole groups with a rollout that matches, newest step first. A page may be short, as of rollouts."""
    with reading(db) as session:
        run = store.get_run(session, run_id)
    wanted = RolloutFilter(**asked.model_dump(exclude={"limit", "cursor", "verdict"}))
    folder = config.run_dir(run.id)
    data, following = groups.page(folder, run.step, wanted, asked.verdict, asked.limit, asked.cursor)
    kept = groups.kept(folder, run.step, asked.step)
    return Groups.model_validate({"data": data, "next_cursor": following, "kept": kept})


@router.get("/runs/{run_id}/rollouts/{rollout}")
def get_rollout(run_id: str, rollout: str, db: Db, config: Config) -> RolloutDetail:
    """The whole text, and what is known of each token."""
    with reading(db) as session:
        run = store.get_run(session, run_id)
    row = rollouts.one(config.run_dir(run.id), run.step, rollout)
    tokens = TokenFacts.model_validate(token_facts(row, parse_spec(run.spec)))
    known = {name: row[name] for name in RolloutDetail.model_fields if name in row}
    completion = len(row["token_ids"]) - row["prefix_tokens"]
    return RolloutDetail(**known, guided=row["prefix_tokens"] > 0, completion_tokens=completion, tokens=tokens)


@router.get("/runs/{run_id}/rollout-files/{step}", response_class=FileResponse, responses={200: BYTES})
def read_rollout_file(
    run_id: str, step: Annotated[int, Field(ge=0, lt=2**31)], db: Db, config: Config
) -> FileResponse:  # fmt: skip
    """All rollouts of a step with everything known of them, as the Parquet file that the training process wrote."""
    with reading(db) as session:
        run = store.get_run(session, run_id)
    return FileResponse(rollouts.file_of(config.run_dir(run.id), run.step, step), media_type=PARQUET)
