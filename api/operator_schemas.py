"""Bodies of what an operator asks, and of the table of reasons; see `schemas.py`."""

from pydantic import Field

from api.schemas import Body, State


class GcItem(Body):
    """One thing that goes. Of many rows alike there is one item."""

    kind: str = Field(description="Such as deleted_run, orphan_folder, leftover, promoted_model, audit_entries.")
    name: str
    bytes: int = Field(description="What the disk has back; a file with several links is freed with the last of them.")
    rows: int = Field(description="Rows of the database.")
    why: str


class GcReport(Body):
    """What was freed, or what would be."""

    dry_run: bool
    bytes: int
    rows: int
    items: list[GcItem]


class ReasonInfo(Body):
    """Why an attempt ended, and what becomes of the run then."""

    reason: str
    state: State = Field(description="Of the run afterwards, while its retry budget lasts.")
    retryable: bool
    cost: int = Field(description="What such an attempt takes from the retry budget.")
    crash: bool = Field(description="Takes twice as much without a new checkpoint.")
    advice: str
