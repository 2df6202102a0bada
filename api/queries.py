"""What lists can be asked for, as query parameters."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from api.schemas import State
from runs.listing import RunFilter

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
