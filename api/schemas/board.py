"""The benchmark board's answers."""

from typing import Any, Literal

from pydantic import Field

from api.schemas.base import Body, State


class BoardDelta(Body):
    """How much better than the baseline, in pairs on the same problems."""

    delta: float
    low: float
    high: float
    p: float = Field(description="Of a two-sided test by signs of the differences; not corrected for many comparisons.")


class BoardCell(Body):
    """A score. Of a paper's there is only the number."""

    benchmark: str
    metric: str
    score: float = Field(description="Of several seeds the mean.")
    low: float | None = Field(None, description="Null for a paper's score, and where seeds do not compare.")
    high: float | None = None
    confidence: float | None = None
    interval: Literal["wilson", "cluster_bootstrap"] | None = None
    problems: int | None = None
    samples: int | None = None
    step: int | None = None
    seeds: int = Field(1, description="How many runs it is the mean of.")
    spread: float | None = Field(None, description="Standard deviation over seeds.")
    setting: str | None = Field(None, description="Key of the answer's `settings`; null if it was not told.")
    differs: list[str] = Field(
        [], description="In what its evaluation is not the reference's: then it does not compare."
    )
    delta: BoardDelta | None = None


class BoardSeed(Body):
    """One run of a row."""

    id: str
    seed: int
    state: State


class BoardLine(Body):
    """A row of the board: a run, runs that differ in nothing but their seed, or a line of a paper's table."""

    name: str
    source: Literal["run", "paper"]
    citation: str = ""
    kind: Literal["train", "eval"] | None = None
    method: str | None = None
    sweep_id: str | None = None
    runs: list[BoardSeed]
    cells: list[BoardCell]


class Board(Body):
    """A page of the board. `baseline` is the row that differences are from; `settings` has the evaluation settings."""

    data: list[BoardLine]
    next_cursor: str | None = None
    baseline: BoardLine | None = None
    settings: dict[str, dict[str, Any]]
