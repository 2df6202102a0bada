"""Values that move with time, and terms whose knobs do not fit each other."""

from math import cos, pi
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from trapo_core.knobs import Cosine, Curve, ExpertTerm, PolicyTerm, Ratio, value_at
from trapo_core.spec import TrainSpec

from .conftest import small_spec

SHARES = st.floats(0, 2)


def test_chords_weight_falls_as_its_formula_says() -> None:
    spec = small_spec(method="chord_mu", demonstrations={"prompts_per_step": 2}, steps=500)
    for step in (0, 1, 50, 100, 199, 200, 201, 499):
        mu = 0.05 + (0.9 - 0.05) * (1 + cos(pi * step / 200)) / 2 if step < 200 else 0.05
        plan = spec.stages()[-1].at(step)
        assert plan.expert[0].weight == pytest.approx(mu)
        assert plan.policy.weight == pytest.approx(1 - mu)


def test_ufts_probability_falls_as_its_formula_says_and_then_there_is_no_hint() -> None:
    p = small_spec(method="uft", steps=500).guidance.slots[0].ratio.p  # type: ignore[union-attr]
    for step in (0, 100, 299, 300):
        assert value_at(p, step, 500) == pytest.approx(0.05 + 0.45 * (1 + cos(pi * step / 300)))
    assert [value_at(p, step, 500) for step in (301, 499)] == [0.0, 0.0]


@given(SHARES, SHARES, st.integers(1, 50))
def test_a_cosine_goes_from_start_to_end_without_turning_and_stays(start: float, end: float, steps: int) -> None:
    for curve, stage_steps in (
        (Cosine(start=start, end=end, steps=steps), 1000),
        (Cosine(start=start, end=end), steps),
    ):
        values = [value_at(curve, step, stage_steps) for step in range(steps + 5)]
        assert values[0] == pytest.approx(start)
        assert values[steps:] == pytest.approx([end] * 5)
        assert values == sorted(values, reverse=start > end) or values == pytest.approx([start] * len(values))


def test_a_number_does_not_move() -> None:
    assert [value_at(0.3, step, 10) for step in (0, 5, 20)] == [0.3] * 3


@pytest.mark.parametrize(
    "given", [0.5, {"start": 0.9, "end": 0.1}, {"shape": "cosine", "start": 1, "end": 0, "steps": 9}]
)
def test_a_curve_is_a_number_or_says_its_ends(given: Any) -> None:
    read = TypeAdapter(Curve).validate_python(given)
    assert TypeAdapter(Curve).validate_python(TypeAdapter(Curve).dump_python(read)) == read


@pytest.mark.parametrize("given", [-1, "x", {"start": 0.9}, {"shape": "line", "start": 0, "end": 1}, None])
def test_what_is_no_curve_is_refused(given: Any) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Curve).validate_python(given)


def test_a_ratio_is_a_number_or_names_its_draw() -> None:
    read = TypeAdapter(Ratio).validate_python
    assert read(0.25) == 0.25
    assert read({"high": 0.5}).high == 0.5
    assert read({"draw": "chunks", "p": 0.5}).chunks == 5


@pytest.mark.parametrize(
    ("part", "values", "message"),
    [
        (ExpertTerm, {"kernel": "nll", "clip": [0.2, 0.2]}, "has no meaning for the kernel nll"),
        (ExpertTerm, {"kernel": "ratio", "dual_clip": 3.0}, "goes with clip"),
        (PolicyTerm, {"dual_clip": 3.0}, "goes with clip"),
        (PolicyTerm, {"kernel": "logp", "clip": [0.2, 0.2]}, "needs a ratio"),
        (PolicyTerm, {"reward_range": [1.0, 0.0]}, "counts no less than a right one"),
    ],
)
def test_knobs_that_do_not_fit_each_other_are_refused(part: Any, values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        part(**values)


def test_weights_are_numbers_in_the_plan_of_a_step_alone() -> None:
    spec: TrainSpec = small_spec(expert=[{"kernel": "nll", "weight": {"start": 1.0, "end": 0.0}}])
    [stage] = spec.stages()
    assert isinstance(stage.expert[0].weight, Cosine)
    assert stage.at(0).expert[0].weight == 1.0
