"""What a spec may name, and who works."""

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from api.schemas.base import Body


class MethodInfo(Body):
    name: str
    summary: str
    paper: str = Field(description="arXiv id, or empty.")
    values: dict[str, Any]


class SpecSchema(Body):
    """What a spec may hold, as JSON Schema: names, bounds, defaults and descriptions. A method's values come over the
    defaults; rules between fields are not in it, a dry run knows them."""

    train: dict[str, Any]
    eval: dict[str, Any]


class RecipeInfo(Body):
    name: str
    specs: list[dict[str, Any]]


class ModelInfo(Body):
    """A model that a spec may name: `{"source": "folder", "path": NAME}`."""

    name: str
    kind: Literal["folder", "alias"]
    architecture: str | None = None
    parameters: int | None = Field(None, description="Null where config.json does not tell.")
    bytes: int = 0
    sha256: str | None = Field(
        None, description="Of the weights, of a checkpoint's alias; never computed for this answer."
    )
    run_id: str | None = None
    step: int | None = None
    problem: str | None = Field(None, description="Why no run can use it; null if one can.")


class DatasetInfo(Body):
    """A file of problems that a spec may name: `{"format": FORMAT, "path": NAME}`."""

    name: str
    format: str | None = None
    rows: int | None = None
    problems: int | None = Field(None, description="Unique ones; null for files above 64 MiB.")
    traces: bool | None = Field(None, description="Whether every problem has an expert trace.")
    columns: list[str] = Field([])
    bytes: int = 0
    problem: str | None = Field(None, description="Why no run can use it; null if one can.")


class WorkerInfo(Body):
    id: str
    host: str
    gpus: int
    slots: int
    heartbeat_at: datetime
    alive: bool
    problem: str | None = Field(description="Why it takes no runs, and what to do; null for a healthy one.")
    run_ids: list[str]
    free_bytes: int | None = Field(description="On the disk of its home.")
