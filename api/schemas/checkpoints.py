"""Checkpoints, their files, and names for their models."""

from datetime import datetime

from pydantic import Field

from api.schemas.base import Body
from trapo_core.sources import Name


class Checkpoint(Body):
    step: int
    path: str
    bytes: int
    sha256: str = Field(description="Of the weights.")
    created_at: datetime
    pinned: bool = Field(description="Never deleted while it is.")
    aliases: list[str]


class CheckpointFile(Body):
    name: str
    bytes: int


class Promotion(Body):
    alias: Name


class Alias(Body):
    """A name for a checkpoint's model. `path` is its folder under the models root."""

    name: str
    run_id: str
    step: int
    sha256: str
    path: str
    created_at: datetime
    created_by: str
