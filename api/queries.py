"""What lists can be asked for, as query parameters."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from api.schemas.base import State
from runs.life.listing import RunFilter
from runs.scores.standings import BoardFilter
from trapo_core.sources import Name

Text = Annotated[str | None, Field(min_length=1, max_length=120)]
Number = Annotated[float | None, Field(allow_inf_nan=False)]
Sort = Literal[
    "created_at", "-created_at", "ended_at", "-ended_at", "name", "-name", "reward", "-reward", "score", "-score"
]


class RunQuery(BaseModel):
    """Each as in `RunFilter`."""

    state: list[State] = Field([], description="Repeatable: one of them.")
    kind: Literal["train", "eval", "import"] | None = None
    method: Text = None
    tag: list[Annotated[str, Field(max_length=64)]] = Field([], max_length=16, description="Repeatable: all of them.")
    name: Text = Field(None, description="A part of the name, whatever the case.")
    created_by: Text = None
    sweep: Text = None
    archived: bool = Field(False, description="Those that are archived, instead of those that are not.")
    deleted: bool = Field(False, description="Those that are deleted and can still be had back.")
    min_reward: Number = Field(None, description="Of the summary's reward_unguided.")
    max_reward: Number = None
    min_score: Number = None
    max_score: Number = None
    sort: Sort = "-created_at"
    limit: int = Field(50, ge=1, le=200)
    cursor: Annotated[str | None, Field(max_length=1000)] = None

    def filter(self) -> RunFilter:
        values = self.model_dump(exclude={"sort", "limit", "cursor"})
        return RunFilter(**values | {"state": tuple(self.state), "tag": tuple(self.tag)})


class BoardQuery(BaseModel):
    """Which runs are on the board, and what they are compared with."""

    benchmark: list[Name] = Field([], max_length=32, description="Repeatable: these.")
    run: list[Annotated[str, Field(pattern=r"^\w{1,40}$")]] = Field(
        [], max_length=200, description="Repeatable: these, archived ones too."
    )
    method: Text = None
    tag: list[Annotated[str, Field(max_length=64)]] = Field([], max_length=16, description="Repeatable: all of them.")
    sweep: Text = None
    kind: Literal["train", "eval"] | None = None
    baseline: Annotated[str | None, Field(pattern=r"^\w{1,40}$")] = Field(
        None, description="The run that differences are from."
    )
    at: Literal["last", "best"] = Field("last", description="A run's last evaluation, or that of `keep_best`.")
    group: Literal["none", "seeds"] = Field("none", description="seeds: runs that differ in nothing else are one row.")
    published: bool = Field(False, description="Also what papers print; on the first page.")
    sort: Literal["-created_at", "-score"] = Field("-created_at", description="-score: of the first `benchmark`.")
    limit: int = Field(50, ge=1, le=200)
    cursor: Annotated[str | None, Field(pattern=r"^-?[0-9.e+-]{1,30}:\w{1,40}$")] = None

    def filter(self) -> BoardFilter:
        archived = None if self.run else False  # a run that was named is shown wherever it is kept
        runs = RunFilter(kind=self.kind, method=self.method, tag=tuple(self.tag), sweep=self.sweep, archived=archived)
        return BoardFilter(
            runs, tuple(self.run), tuple(self.benchmark), self.at, self.group == "seeds", self.sort == "-score"
        )
