"""Methods are data: each row is what ALGORITHMS 3.3 says of it."""

from typing import Any

import pytest

from trapo_core.methods import METHODS, TRAPO_SLOTS
from trapo_core.spec import TrainSpec, parse_spec


def resolved(method: str, **values: Any) -> TrainSpec:
    data = {"model": {"source": "small_world"}, "data": {"format": "small_world"}, "method": method}
    spec = parse_spec(data | values)
    assert isinstance(spec, TrainSpec)
    return spec


def differences(one: TrainSpec, other: TrainSpec) -> set[str]:
    return {field for field in TrainSpec.model_fields if getattr(one, field) != getattr(other, field)} - {"method"}


def test_rows_are_found_by_their_own_name_and_explain_themselves() -> None:
    assert all(name == method.name and method.summary.endswith(".") for name, method in METHODS.items())
    assert len({method.summary for method in METHODS.values()}) == len(METHODS)


def test_the_rows_of_the_papers_tables_are_there() -> None:
    assert {"trapo", "grpo", "dr_grpo", "sft", "sft_then_rl", "luffy"} <= set(METHODS)
    assert {"micro_group", "micro_group_nll", "micro_group_luffy"} <= set(METHODS)


@pytest.mark.parametrize("method", METHODS)
def test_a_row_sets_only_the_method_and_no_group_is_empty(method: str) -> None:
    assert set(METHODS[method].values) <= {"guidance", "expert", "policy", "warm_start"}
    assert resolved(method).guidance.samples_per_group == (1 if method == "sft" else 8)


def test_trapo_and_the_groups_of_its_ablation_differ_in_the_expert_term_alone() -> None:
    terms = {"micro_group": [], "micro_group_nll": ["nll"], "micro_group_luffy": ["shaped"]}
    for method, kernels in terms.items():
        assert differences(resolved("trapo"), resolved(method)) == {"expert"}
        assert [term.kernel for term in resolved(method).expert] == kernels
    assert resolved("micro_group_luffy").expert[0].gate == "positive_advantage"


def test_grpo_is_trapo_without_guidance_and_what_it_feeds() -> None:
    assert differences(resolved("trapo"), resolved("grpo")) == {"guidance", "expert"}
    assert not resolved("grpo").guidance.needs_traces
    assert differences(resolved("grpo"), resolved("dr_grpo")) == {"policy"}
    assert resolved("dr_grpo").policy.clip == (0.2, 0.2)


def test_sft_learns_whole_traces_and_nothing_of_its_own() -> None:
    spec = resolved("sft")
    [slot] = spec.guidance.slots
    assert (slot.n, slot.when, slot.ratio) == (1, "always", 1.0)
    assert (spec.policy.weight, [(term.kernel, term.norm) for term in spec.expert]) == (0.0, [("nll", "token_mean")])


def test_sft_then_rl_is_sft_and_then_grpo() -> None:
    first, second = resolved("sft_then_rl").stages()
    [sft], [grpo] = resolved("sft").stages(), resolved("grpo").stages()
    for field in ("guidance", "expert", "policy"):
        assert getattr(first, field) == getattr(sft, field)
        assert getattr(second, field) == getattr(grpo, field)


def test_luffy_draws_seven_and_is_shown_one_whole_trace() -> None:
    spec = resolved("luffy")
    assert [(slot.n, slot.when, slot.ratio) for slot in spec.guidance.slots] == [(7, "never", 0.0), (1, "always", 1.0)]
    [term] = spec.expert
    assert (term.kernel, term.gamma, term.gate, term.norm) == ("shaped", 0.1, "advantage", "const")
    assert spec.policy.baseline == "all"


def test_trapo_has_the_papers_micro_groups() -> None:
    assert [slot["n"] for slot in TRAPO_SLOTS] == [4, 2, 1, 1]
    assert [slot.get("ratio", 0) for slot in TRAPO_SLOTS] == [0, 0.2, 0.5, 1.0]
    assert [slot.get("threshold") for slot in TRAPO_SLOTS] == [None, 0.5, 0.7, 0.9]
    assert not any(slot.inclusive for slot in resolved("trapo").guidance.slots)
