"""Specs with some fields changed."""

import pytest

from runs.life.overrides import blamed_on, overridden
from trapo_core.errors import FieldProblem, SpecError

SPEC = {"steps": 5, "lora": None, "guidance": {"slots": [{"ratio": 0.0}, {"ratio": 0.2}]}}


def test_a_path_leads_through_mappings_and_lists_and_leaves_the_original():
    changed = overridden(SPEC, {"steps": 7, "guidance.slots.1.ratio": 0.5, "lora.rank": 4, "optimizer.lr": 1e-4})
    assert changed == {
        "steps": 7, "lora": {"rank": 4}, "optimizer": {"lr": 1e-4},
        "guidance": {"slots": [{"ratio": 0.0}, {"ratio": 0.5}]},
    }  # fmt: skip
    assert SPEC["guidance"]["slots"][1]["ratio"] == 0.2


@pytest.mark.parametrize(
    "path", ["guidance.slots.2.ratio", "guidance.slots.x", "steps.a", "guidance.slots.-1", "guidance.slots.²"]
)
def test_a_path_that_leads_nowhere_is_named(path):
    with pytest.raises(SpecError) as error:
        overridden(SPEC, {path: 1})
    assert error.value.problems[0].pointer == f"/overrides/{path}"


def test_a_problem_is_blamed_on_the_override_that_brought_it():
    found = [FieldProblem("/optimizer/lr", "m"), FieldProblem("/steps", "m"), FieldProblem("/guidance/slots/0/x", "m")]
    overrides = {"optimizer.lr": -1, "guidance": {}}
    pointers = [problem.pointer for problem in blamed_on(found, overrides, "/matrix", "/spec")]
    assert pointers == ["/matrix/optimizer.lr", "/spec/steps", "/matrix/guidance/slots/0/x"]
