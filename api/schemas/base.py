"""What every body has in common. Field names are the words of the spec, the tables and the dashboard.

Lists are `{data, next_cursor}`. Times are RFC 3339 UTC. A number that is not finite travels as the string "NaN",
"Infinity" or "-Infinity".
"""

import json
from collections.abc import Sequence
from typing import Annotated, Any, Generic, Literal, Self, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict

State = Literal["queued", "starting", "running", "succeeded", "failed", "cancelled", "paused"]


Item = TypeVar("Item")


def _finite(value: dict[str, Any]) -> dict[str, Any]:
    json.dumps(value, allow_nan=False)  # a database keeps no others in JSON
    return value


Json = Annotated[dict[str, Any], AfterValidator(_finite)]


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid", ser_json_inf_nan="strings", from_attributes=True)


class Page(Body, Generic[Item]):
    """One page of a list; `next_cursor` is null on the last."""

    data: list[Item]
    next_cursor: str | None = None

    @classmethod
    def cut(cls, found: Sequence[Item], limit: int, mark: str) -> Self:
        """`found` has one more than `limit` if another page follows; its cursor is the last shown one's `mark`."""
        data = list(found[:limit])
        return cls(data=data, next_cursor=str(getattr(data[-1], mark)) if len(found) > limit else None)


class FieldError(Body):
    pointer: str
    message: str
    hint: str = ""


class Problem(Body):
    """application/problem+json (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    errors: list[FieldError] = []


# What a request that would make a run may also be answered with.
NO_ROOM: dict[int | str, dict[str, Any]] = {507: {"model": Problem, "description": "The disk is nearly full."}}
