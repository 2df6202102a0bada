"""Methods are data: each row is what ALGORITHMS 3.3 says of it, and what docs/methods.md says."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from trapo_core.methods import METHODS
from trapo_core.spec import TrainSpec, parse_spec

DOCUMENT = (Path(__file__).parents[2] / "docs" / "methods.md").read_text(encoding="utf-8")
TABLE = {
    cells[0].strip("`"): cells
    for line in DOCUMENT.splitlines()
    if line.startswith("| `")
    for cells in [[cell.strip() for cell in line.strip("|").split("|")]]
}
VARIANTS = [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", DOCUMENT, re.DOTALL)]
SUPERVISED = {"sft": "nll", "dft": "dft", "trsft": "trsft"}


def resolved(method: str, **values: Any) -> TrainSpec:
    data = {"model": {"source": "small_world"}, "data": {"format": "small_world"}, "method": method}
    spec = parse_spec(data | values)
    assert isinstance(spec, TrainSpec)
    return spec


def differences(one: TrainSpec, other: TrainSpec) -> set[str]:
    return {field for field in TrainSpec.model_fields if getattr(one, field) != getattr(other, field)} - {"method"}


def slots_of(method: str) -> list[tuple[int, str, Any]]:
    return [(slot.n, slot.when, slot.ratio) for slot in resolved(method).guidance.slots]


# ------------------------------------------------------------------------------------------------------------ all rows


def test_rows_are_found_by_their_own_name_and_explain_themselves() -> None:
    assert all(name == method.name and method.summary.endswith(".") for name, method in METHODS.items())
    assert len({method.summary for method in METHODS.values()}) == len(METHODS)
    assert all(not method.choices or method.choices.endswith(".") for method in METHODS.values())


@pytest.mark.parametrize("method", METHODS)
def test_a_row_sets_only_the_method_and_no_group_is_empty(method: str) -> None:
    own = {"guidance", "expert", "policy", "warm_start", "demonstrations", "fallback", "failure_buffer", "alternate"}
    assert set(METHODS[method].values) <= own
    sizes = {"srft": 9, "uft": 4} | dict.fromkeys(SUPERVISED, 1)
    assert resolved(method).guidance.samples_per_group == sizes.get(method, 8)
    assert resolved(method).updates_per_batch == 1


def test_the_table_of_the_documentation_has_every_method_in_order() -> None:
    assert list(TABLE) == list(METHODS)


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
def test_a_row_of_the_table_says_what_the_method_is(method: Any) -> None:
    name, paper, _, expert, policy, else_, choices = TABLE[method.name]
    spec = resolved(name.strip("`"))
    assert (paper, choices) == (method.paper, method.choices)
    assert re.findall(r"`(\w+)`", expert) == [term.kernel for term in spec.expert]
    assert (policy == "–") == (spec.policy.weight == 0)
    assert ("clip .2" in policy) == (spec.policy.clip == (0.2, 0.2))
    assert ("std" in policy) == (spec.policy.std == "unbiased")
    parts = {"warm_start", "demonstrations", "fallback", "failure_buffer", "alternate"} & set(method.values)
    assert set(re.findall(r"`(\w+)`", else_)) == parts


@pytest.mark.parametrize("variant", VARIANTS, ids=range(len(VARIANTS)))
def test_a_variant_of_the_documentation_is_a_spec_without_doubts(variant: dict[str, Any]) -> None:
    spec = resolved(**variant)
    assert spec.warnings() == []
    assert differences(spec, resolved(variant["method"])) == set(variant) - {"method"}


# ------------------------------------------------------------------------------------------------------- TRAPO's tables


def test_the_rows_of_the_papers_tables_are_there() -> None:
    assert {"trapo", "grpo", "sft", "sft_then_rl", "relift", "luffy"} <= set(METHODS)
    assert {"micro_group", "micro_group_nll", "micro_group_luffy"} <= set(METHODS)


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


def test_trapo_has_the_papers_micro_groups() -> None:
    slots = resolved("trapo").guidance.slots
    assert [(slot.n, slot.ratio, slot.threshold) for slot in slots] == [
        (4, 0.0, None),
        (2, 0.2, 0.5),
        (1, 0.5, 0.7),
        (1, 1.0, 0.9),
    ]
    assert not any(slot.inclusive for slot in slots)


def test_the_released_code_counts_cuts_at_paragraphs_and_takes_a_second_trace_last() -> None:
    guidance = resolved("trapo_official").guidance
    assert [(slot.n, slot.ratio, slot.threshold) for slot in guidance.slots[1:]] == [
        (2, 0.25, 2 / 4),
        (1, 0.5, 4 / 6),
        (1, 1.0, 1.0),
    ]
    assert [slot.trace for slot in guidance.slots] == [0, 0, 0, 1]
    assert (guidance.cut, guidance.window, guidance.content) == ("paragraph", 0.3, "think_only")


# -------------------------------------------------------------------------------------------------------- its relatives


def test_supervised_methods_learn_whole_traces_and_nothing_of_their_own() -> None:
    for method, kernel in SUPERVISED.items():
        spec = resolved(method)
        assert spec.guidance == resolved("trapo").guidance.demonstration()
        assert slots_of(method) == [(1, "always", 1.0)]
        assert (spec.policy.weight, [(term.kernel, term.norm) for term in spec.expert]) == (
            0.0,
            [(kernel, "token_mean")],
        )


def test_sft_then_rl_is_sft_and_then_grpo() -> None:
    first, second = resolved("sft_then_rl").stages()
    [sft], [grpo] = resolved("sft").stages(), resolved("grpo").stages()
    for field in ("guidance", "expert", "policy"):
        assert getattr(first, field) == getattr(sft, field)
        assert getattr(second, field) == getattr(grpo, field)


def test_a_warm_start_shows_as_much_of_a_trace_as_the_groups_do() -> None:
    for content in ("full", "think_only"):
        for method in ("sft_then_rl", "sasr"):
            assert resolved(method, guidance={"content": content}).stages()[0].guidance.content == content


def test_luffy_draws_seven_and_is_shown_one_whole_trace() -> None:
    assert slots_of("luffy") == slots_of("rl_sft") == [(7, "never", 0.0), (1, "always", 1.0)]
    [term] = resolved("luffy").expert
    assert (term.kernel, term.gamma, term.gate, term.norm) == ("shaped", 0.1, "advantage", "const")
    assert (resolved("luffy").policy.baseline, resolved("rl_sft").policy.baseline) == ("all", "unguided")


def test_an_optimizer_given_in_part_keeps_what_is_the_methods_own() -> None:
    buffer = resolved("relift", failure_buffer={"optimizer": {"lr": 1e-3}}).failure_buffer
    assert buffer
    assert (buffer.size, buffer.optimizer.lr, buffer.optimizer.grad_clip) == (128, 1e-3, 0.7)
    warm = resolved("sft_then_rl", warm_start={"steps": 5, "optimizer": {"lr": 1e-3}}).warm_start
    assert warm
    assert (warm.optimizer.lr, warm.optimizer.warmup_share, warm.optimizer.schedule) == (1e-3, 0.1, "cosine")


def test_a_dual_clip_without_a_clip_is_refused_in_either_term() -> None:
    for values in ({"policy": {"dual_clip": 3.0}}, {"expert": [{"kernel": "ratio", "dual_clip": 3.0}]}):
        with pytest.raises(ValueError, match="dual_clip: goes with clip"):
            resolved("trapo", **values)
