"""Curves of a run, and the question for many at once."""

from typing import Self

from pydantic import Field, model_validator

from api.schemas.base import Body

MOST_BUCKETS = 1_000_000  # of one question for curves


class SeriesInfo(Body):
    """One named curve of a run."""

    key: str
    points: int
    last_step: int
    last_value: float


class SeriesQuery(Body):
    """Which curves to read, and how finely: at most `points` buckets for each. `smooth` is the number of steps that the
    trailing mean of each step looks back on; 1 is no smoothing."""

    run_ids: list[str] = Field(min_length=1, max_length=50)
    keys: list[str] = Field(min_length=1, max_length=50)
    from_step: int = Field(0, ge=0, lt=2**63)
    to_step: int | None = Field(None, ge=0, lt=2**63)
    points: int = Field(1000, ge=2, le=10_000)
    smooth: int = Field(1, ge=1, le=10_000)

    @model_validator(mode="after")
    def _not_too_much_at_once(self) -> Self:
        if len(self.run_ids) * len(self.keys) * self.points > MOST_BUCKETS:
            raise ValueError(f"runs × keys × points is above {MOST_BUCKETS:,}; ask for fewer points or in parts")
        return self


class Curve(Body):
    """A curve as columns. Up to `points` steps: the exact values, and min = max = mean = value. Above: buckets of
    equal width with the step of the bucket's last point, so that a one-step spike always shows; of a long curve a value
    may stand one bucket beside its own."""

    run_id: str
    key: str
    steps: list[int]
    min: list[float]
    max: list[float]
    mean: list[float]


class Curves(Body):
    data: list[Curve]
