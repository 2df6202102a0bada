"""Specs: what is right parses to itself; what is wrong is said by pointer, with a remedy, all at once."""

import copy
import json
import pickle
import subprocess
import sys
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, TypeAdapter, ValidationError

from trapo_core import errors
from trapo_core.errors import FieldProblem, SpecError, TrapoError
from trapo_core.knobs import Slot
from trapo_core.methods import METHODS
from trapo_core.spec import EvalSpec, Spec, TrainSpec, merge, parse_spec
from trapo_core.spec_errors import nearest

WORLD = {"model": {"source": "small_world"}, "data": {"format": "small_world"}}
CHAINS = {"name": "chains", "data": {"format": "small_world"}}
FILE = {"format": "gsm8k", "path": "gsm8k/train.jsonl"}
NEVER, ALWAYS = {"n": 4, "when": "never"}, {"n": 1, "when": "always", "ratio": 1.0}
BELOW = {"n": 1, "when": "mean_below", "threshold": 0.5, "ratio": 0.2}

BENCHMARKS = "/evaluation/benchmarks"

Values = dict[str, Any]


def train(**values: Any) -> TrainSpec:
    spec = parse_spec(WORLD | values)
    assert isinstance(spec, TrainSpec)
    return spec


def problems(data: Any) -> list[FieldProblem]:
    with pytest.raises(SpecError) as caught:
        parse_spec(data)
    return caught.value.problems


def the_problem(**values: Any) -> FieldProblem:
    found = problems(WORLD | values)
    assert len(found) == 1, found
    return found[0]


def slots(*given: Values) -> Values:
    return {"guidance": {"slots": list(given)}}


def benchmarks(*given: Values) -> Values:
    return {"evaluation": {"benchmarks": list(given)}}


def with_data(**values: Any) -> Values:
    return benchmarks({"name": "b", "data": values})


def always(ratio: float) -> Values:
    return slots(NEVER, {"n": 1, "when": "always", "ratio": ratio})


# --------------------------------------------------------------------------------------------------------- right specs


@pytest.mark.parametrize("method", METHODS)
def test_a_resolved_spec_is_json_that_parses_to_itself(method: str) -> None:
    spec = train(method=method, tags=["a"], **benchmarks({**CHAINS, "samples": 8, "pass_at": [1, 8]}))
    assert parse_spec(json.loads(spec.model_dump_json())) == spec
    assert parse_spec(spec.model_dump(mode="json")) == spec
    assert parse_spec(yaml.safe_load(yaml.safe_dump(spec.model_dump(mode="json")))) == spec
    assert hash(parse_spec(json.loads(spec.model_dump_json()))) == hash(spec)


@pytest.mark.parametrize(
    "model",
    [
        {"source": "hub", "id": "Qwen/Qwen2.5-0.5B"},
        {"source": "folder", "path": "m"},
        {"source": "tiny", "hidden_size": 48, "heads": 4},
    ],
)
def test_every_model_source_and_kind_of_file_parses_to_itself(model: Values) -> None:
    for form in ("gsm8k", "openr1", "valid", "jsonl"):
        data = {"format": form, "path": "x", "hub": "a/b", "limit": 3}
        bodies: list[Values] = [{"model": model, "data": data}]
        if model["source"] != "tiny":  # made from training data, so there is none to evaluate
            bodies.append({"kind": "eval", "model": model, "benchmarks": [{"name": "b", "data": data}]})
        for spec in map(parse_spec, bodies):
            assert parse_spec(spec.model_dump(mode="json")) == spec


def test_what_the_spec_says_wins_over_its_method() -> None:
    spec = train(method="trapo", guidance={"cut": "paragraph"}, policy={"clip": [0.2, 0.28]})
    assert spec.guidance.cut == "paragraph"
    assert spec.guidance.slots == train().guidance.slots  # the rest stays the method's
    assert spec.policy.clip == (0.2, 0.28)
    assert train(**slots(NEVER)).guidance.slots == (Slot(n=4),)  # a list replaces the method's whole
    assert train(method="sft_then_rl", warm_start={"steps": 7}).warm_start.steps == 7  # type: ignore[union-attr]
    assert train(method="sft_then_rl", warm_start=None).warm_start is None


@given(
    st.recursive(
        st.dictionaries(st.sampled_from("abc"), st.integers()),
        lambda inner: st.dictionaries(st.sampled_from("abc"), inner),
    )
)
@settings(max_examples=50)
def test_merging_keeps_both_inputs_as_they_were_and_with_nothing_changes_nothing(values: Values) -> None:
    defaults = {"a": {"b": 1, "c": {"a": 2}}, "b": [1]}
    before = copy.deepcopy((defaults, values))
    merged = merge(defaults, values)
    assert (defaults, values) == before
    assert merge(merged, values) == merged
    assert merge(defaults, {}) == defaults
    assert merge({}, values) == values


def test_parsing_changes_neither_what_was_given_nor_the_methods() -> None:
    given = WORLD | slots(NEVER, BELOW) | {"method": "luffy"}
    before = copy.deepcopy((given, METHODS))
    parse_spec(given)
    assert (given, METHODS) == before


def test_defaults_are_the_papers() -> None:
    spec = train()
    assert spec.method == "trapo"
    assert [(slot.n, slot.threshold, slot.ratio) for slot in spec.guidance.slots] == [
        (4, None, 0.0),
        (2, 0.5, 0.2),
        (1, 0.7, 0.5),
        (1, 0.9, 1.0),
    ]
    assert spec.guidance.samples_per_group == 8
    assert [(term.kernel, term.alpha, term.gate, term.mask, term.norm) for term in spec.expert] == [
        ("trsft", 0.1, "one", "dedupe", "const")
    ]
    assert (spec.policy.baseline, spec.policy.std, spec.policy.clip, spec.policy.norm) == ("all", "none", None, "const")
    assert (spec.optimizer.lr, spec.optimizer.schedule, spec.prompts_per_step, spec.sampling.temperature) == (
        5e-6,
        "constant",
        128,
        1.0,
    )


def test_a_number_that_yaml_reads_as_text_is_a_number() -> None:
    assert yaml.safe_load("5e-6") == "5e-6"
    assert train(optimizer=yaml.safe_load("lr: 5e-6")).optimizer.lr == 5e-6


def test_a_spec_and_all_its_parts_are_frozen() -> None:
    spec = train(**benchmarks(CHAINS), method="sft_then_rl")
    for part in (
        spec,
        spec.model,
        spec.guidance,
        spec.guidance.slots[0],
        spec.optimizer,
        spec.evaluation.benchmarks[0],
    ):
        field = next(iter(type(part).model_fields))
        with pytest.raises(ValidationError, match="frozen"):
            setattr(part, field, None)
    assert all(not isinstance(value, list | dict | set) for value in leaves(spec))


def leaves(part: BaseModel) -> list[object]:
    values: list[object] = list(dict(part).values())
    return values + [leaf for value in values if isinstance(value, BaseModel) for leaf in leaves(value)]


def test_stages_follow_each_other_without_a_gap() -> None:
    spec = train(method="sft_then_rl", steps=30, warm_start={"steps": 20, "prompts_per_step": 5})
    sft, main = spec.stages()
    assert (sft.name, sft.first_step, sft.steps, sft.prompts_per_step) == ("sft", 0, 20, 5)
    assert (main.name, main.first_step, main.steps, main.prompts_per_step) == ("sft_then_rl", 20, 30, 128)
    assert spec.total_steps == 50
    assert (sft.policy.weight, sft.guidance.needs_traces, main.guidance.needs_traces) == (0.0, True, False)
    assert (sft.optimizer, main.optimizer) == (spec.warm_start.optimizer, spec.optimizer)  # type: ignore[union-attr]
    [only] = train(steps=7).stages()
    assert (only.first_step, only.steps, train(steps=7).total_steps) == (0, 7, 7)


def test_every_method_but_plain_reinforcement_needs_traces() -> None:
    needs = {name for name in METHODS if any(stage.needs_traces for stage in train(method=name).stages())}
    assert needs == set(METHODS) - {"grpo", "dr_grpo"}


def test_kernel_parameters_are_those_the_kernel_has() -> None:
    terms = {
        kernel: train(expert=[{"kernel": kernel, "alpha": 0.3, "gamma": 0.4}]).expert[0]
        for kernel in ("nll", "trsft", "dft", "phi", "shaped")
    }
    assert {kernel: term.kernel_params for kernel, term in terms.items()} == {
        "nll": {}, "trsft": {"alpha": 0.3}, "dft": {}, "phi": {}, "shaped": {"gamma": 0.4},
    }  # fmt: skip


def test_a_folder_may_hold_any_model() -> None:
    folder = {"source": "folder", "path": "saved"}
    for data in (WORLD["data"], FILE):
        parse_spec({"model": folder, "data": data, **benchmarks({"name": "b", "data": data})})


def test_a_spec_has_a_json_schema_and_needs_no_torch() -> None:
    assert TypeAdapter(Spec).json_schema()["discriminator"]["propertyName"] == "kind"
    code = "import sys, trapo_core.spec, trapo_core.guidance; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# --------------------------------------------------------------------------------------------------------- wrong specs


@pytest.mark.parametrize(
    ("values", "pointer", "message", "hint"),
    [
        # A name that is nearly right
        ({"setps": 3}, "/setps", "no such field", "'steps'"),
        ({"optimizer": {"learning": 1}}, "/optimizer/learning", "no such field", "Known: betas"),
        ({"optimizer": {"weight_decy": 1}}, "/optimizer/weight_decy", "no such field", "'weight_decay'"),
        ({"warm_start": {"optimizer": {"lrr": 1}}}, "/warm_start/optimizer/lrr", "no such field", "'lr'"),
        (slots({"n": 4, "wen": "never"}), "/guidance/slots/0/wen", "no such field", "'when'"),
        ({"expert": [{"kernel": "trsft", "alpah": 1}]}, "/expert/0/alpah", "no such field", "'alpha'"),
        ({"model": {"source": "tiny", "layer": 2}}, "/model/layer", "no such field", "'layers'"),
        (with_data(format="small_world", sed=1), f"{BENCHMARKS}/0/data/sed", "no such field", "'seed'"),
        ({"a/b~c": 1}, "/a~1b~0c", "no such field", "Known: "),
        # A value that is nearly right
        ({"method": "trappo"}, "/method", "'trappo' is not a method", "'trapo'"),
        ({"method": None}, "/method", "None is not a method", "Known: bridge_mix, chord_mu"),
        ({"method": ["trapo"]}, "/method", "not a method", "'trapo'"),
        ({"kind": "trian"}, "/kind", "'trian' is not known", "'train'"),
        ({"model": {"source": "hubb"}}, "/model/source", "'hubb' is not known", "'hub'"),
        ({"data": {"format": "gsm8"}}, "/data/format", "'gsm8' is not known", "'gsm8k'"),
        (with_data(format="smal_world"), f"{BENCHMARKS}/0/data/format", "'smal_world' is not known", "'small_world'"),
        ({"expert": [{"kernel": "trsf"}]}, "/expert/0/kernel", "'trsf' is not known", "'trsft'"),
        ({"guidance": {"cut": "paragraf"}}, "/guidance/cut", "'paragraf' is not known", "'paragraph'"),
        ({"dtype": "fp8"}, "/dtype", "'fp8' is not known", "Known: bfloat16, float32"),
        # Something missing
        ({"model": {}}, "/model/source", "is missing", "Known: folder, hub, small_world, tiny"),
        ({"model": {"source": "hub"}}, "/model/id", "is missing", "Qwen/Qwen2.5-0.5B"),
        ({"data": {"format": "gsm8k"}}, "/data/path", "is missing", "gsm8k/train.jsonl"),
        ({"policy": {"clip": [0.2]}}, "/policy/clip/1", "is missing", ""),
        # Out of range
        (always(1.5), "/guidance/slots/1/ratio", "less than or equal to 1 (given: 1.5)", "Length of"),
        (always(-0.1), "/guidance/slots/1/ratio", "greater than or equal to 0", "Length of"),
        ({"expert": [{"kernel": "trsft", "alpha": 2}]}, "/expert/0/alpha", "or equal to 1 (given: 2)", "damped"),
        (slots({"n": 0}), "/guidance/slots/0/n", "greater than or equal to 1", ""),
        (slots(), "/guidance/slots", "fewer than 1", ""),
        ({"seed": -1}, "/seed", "greater than or equal to 0", ""),
        ({"steps": 0}, "/steps", "greater than or equal to 1", ""),
        ({"steps": 2.5}, "/steps", "integer", ""),
        ({"optimizer": {"lr": 0}}, "/optimizer/lr", "greater than 0", ""),
        ({"optimizer": {"lr": float("nan")}}, "/optimizer/lr", "finite", ""),
        ({"optimizer": {"grad_clip": float("inf")}}, "/optimizer/grad_clip", "finite", ""),
        ({"optimizer": {"betas": [0.9, 1.0]}}, "/optimizer/betas/1", "less than 1", ""),
        ({"policy": {"clip": [1.5, 0.2]}}, "/policy/clip/0", "less than or equal to 1", ""),
        ({"tags": ["a b"]}, "/tags/0", "pattern", ""),
        ({"tags": ["a"] * 17}, "/tags", "more than 16", ""),
        ({"model": {"source": "hub", "id": "no-owner"}}, "/model/id", "pattern", "Qwen/Qwen2.5-0.5B"),
        ({"model": {"source": "hub", "id": "../.."}}, "/model/id", "pattern", "Qwen/Qwen2.5-0.5B"),
        (benchmarks({**CHAINS, "name": "../up"}), f"{BENCHMARKS}/0/name", "pattern", "letters, digits"),
        # Of the wrong kind
        ({"guidance": None}, "/guidance", "mapping of fields", ""),
        ({"model": "small_world"}, "/model", "mapping of fields", ""),
        ({"expert": {"kernel": "nll"}}, "/expert", "a list", ""),
        ({"policy": {"clip": 0.2}}, "/policy/clip", "a list", "low, high"),
        # Fields that do not go together
        (slots(BELOW), "/guidance/slots/0/when", "first unguided slot", "when: never"),
        (slots(ALWAYS, BELOW), "/guidance/slots/0/when", "first unguided slot", "when: never"),
        (slots(NEVER, {**BELOW, "threshold": None}), "/guidance/slots/1/threshold", "mean_below", "both or neither"),
        (slots(NEVER, {**ALWAYS, "threshold": 0.5}), "/guidance/slots/1/threshold", "mean_below", "both or neither"),
        (slots({**NEVER, "ratio": 0.2}), "/guidance/slots/0/ratio", "is 0.2", "ratio 0"),
        (slots(NEVER, {"n": 1, "when": "always"}), "/guidance/slots/1/ratio", "is 0.0", "ratio 0"),
        ({"data": {"format": "small_world", "min_ops": 9}}, "/data/min_ops", "above max_ops 8", "Swap"),
        ({"data": FILE}, "/model/source", "go together", "small_world"),
        ({"model": {"source": "tiny"}}, "/model/source", "go together", "small_world"),
        (benchmarks({"name": "b", "data": FILE}), f"{BENCHMARKS}/0/data/format", "go together", "small_world"),
        (benchmarks(CHAINS, {**CHAINS, "samples": 2}), f"{BENCHMARKS}/1/name", "'chains' too", "own name"),
        (benchmarks({**CHAINS, "samples": 4, "pass_at": [1, 8]}), f"{BENCHMARKS}/0/pass_at", "pass@8", "Raise samples"),
        (benchmarks({**CHAINS, "samples": 4, "temperature": 0}), f"{BENCHMARKS}/0/samples", "greedy", "above 0"),
        ({"model": {"source": "tiny", "hidden_size": 60}}, "/model/hidden_size", "4 heads", "multiple of 8"),
    ],
)  # fmt: skip
def test_a_wrong_field_is_named_with_its_remedy(values: Values, pointer: str, message: str, hint: str) -> None:
    problem = the_problem(**values)
    assert problem.pointer == pointer
    assert message in problem.message
    assert hint in problem.hint
    assert "Input" not in problem.message  # pydantic's own words
    assert str(problem) == f"{pointer}: {problem.message} {problem.hint}".strip()


def test_every_wrong_field_is_reported_at_once() -> None:
    found = problems({"setps": 3, "seed": -1, "optimizer": {"lrr": 1}, "model": {"source": "nowhere"}})
    pointers = {"/setps", "/seed", "/optimizer/lrr", "/model/source", "/data"}
    assert {problem.pointer for problem in found} == pointers
    assert len(found) == len(pointers)


def test_a_list_with_one_wrong_item_is_not_also_called_too_short() -> None:
    found = problems({"kind": "eval", "model": WORLD["model"], "benchmarks": [{**CHAINS, "sample": 3}]})
    assert [problem.pointer for problem in found] == ["/benchmarks/0/sample"]


@pytest.mark.parametrize("data", [None, [], "method: trapo", 3])
def test_what_is_no_mapping_is_no_spec(data: Any) -> None:
    [problem] = problems(data)
    assert problem.pointer == ""
    assert "mapping" in problem.message
    assert "recipes/" in problem.hint


def test_an_evaluation_wants_benchmarks_and_no_method() -> None:
    spec = parse_spec({"kind": "eval", "model": WORLD["model"], "benchmarks": [CHAINS]})
    assert isinstance(spec, EvalSpec)
    [missing] = problems({"kind": "eval", "model": WORLD["model"]})
    assert missing.pointer == "/benchmarks"
    [empty] = problems({"kind": "eval", "model": WORLD["model"], "benchmarks": []})
    assert empty.pointer == "/benchmarks"
    [extra] = problems({"kind": "eval", "model": WORLD["model"], "benchmarks": [CHAINS], "method": "trapo"})
    assert extra.pointer == "/method"
    [mixed] = problems({"kind": "eval", "model": WORLD["model"], "benchmarks": [CHAINS, {"name": "b", "data": FILE}]})
    assert mixed.pointer == "/benchmarks/1/data/format"
    [twice] = problems({"kind": "eval", "model": WORLD["model"], "benchmarks": [CHAINS, CHAINS]})
    assert twice.pointer == "/benchmarks/1/name"


def test_what_was_given_is_shown_but_not_at_any_length() -> None:
    problem = the_problem(name="x" * 10_000)
    assert problem.pointer == "/name"
    assert len(str(problem)) < 400
    assert len(str(the_problem(dtype="x" * 10_000))) < 400


some_keys = st.sampled_from(["source", "format", "n", "slots", "kernel", "a~/b"])
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["", "small_world", "never", "x/y", "1"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(some_keys, inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=150)
@given(st.sampled_from([*TrainSpec.model_fields, "unknown"]), anything)
def test_no_value_of_any_field_fails_in_another_way(field: str, value: Any) -> None:
    try:
        parse_spec(WORLD | {field: value})
    except SpecError as error:
        assert error.problems
        assert all(
            problem.pointer.startswith(f"/{field}") or field in ("kind", "model", "data") for problem in error.problems
        )


# -------------------------------------------------------------------------------------------------------------- errors


def test_a_spec_error_says_everything_and_survives_pickling() -> None:
    error = SpecError([FieldProblem("/steps", "is 0.", "Raise it."), FieldProblem("", "is odd.")])
    assert str(error) == "/steps: is 0. Raise it.\n/: is odd."
    back = pickle.loads(pickle.dumps(error))
    assert (type(back), back.problems, str(back), back.reason) == (
        SpecError,
        error.problems,
        str(error),
        "spec_invalid",
    )
    assert isinstance(error, ValueError)


@pytest.mark.parametrize(
    "kind",
    [
        kind
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, TrapoError) and kind is not SpecError
    ],
)
def test_every_error_survives_pickling_with_its_hint(kind: type[TrapoError]) -> None:
    back = pickle.loads(pickle.dumps(kind("It broke.", "Mend it.")))
    assert type(back) is kind
    assert (back.message, back.hint, str(back), back.reason) == (
        "It broke.",
        "Mend it.",
        "It broke. Mend it.",
        kind.reason,
    )
    assert str(kind("It broke.")) == "It broke."


def test_the_nearest_name_is_offered_else_all_of_them() -> None:
    assert nearest("alhpa", ["alpha", "gamma"]) == "Did you mean 'alpha'?"
    assert nearest("zzz", ["gamma", "alpha"]) == "Known: alpha, gamma."
