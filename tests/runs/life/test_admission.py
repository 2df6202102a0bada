"""What is refused before anything is stored, and how the caller is told."""

import json

import pytest

from runs.life.admission import admit, plan
from trapo_core.errors import SpecError

SMALL = {
    "model": {"source": "small_world"},
    "data": {"format": "small_world"},
    "steps": 10,
    "prompts_per_step": 4,
    "sampling": {"max_tokens": 40},
}


@pytest.fixture
def gsm8k(settings):
    """A spec over a data file of the service that has one problem."""
    settings.data_root.mkdir(parents=True)
    row = {"question": "One and one?", "answer": "It is <<1+1=2>>2.\n#### 2"}
    (settings.data_root / "mini.jsonl").write_text(json.dumps(row) + "\n")
    data = {"format": "gsm8k", "path": "mini.jsonl"}
    return {
        "model": {"source": "tiny"},
        "data": data,
        "steps": 1,
        "prompts_per_step": 1,
        "sampling": {"max_tokens": 100},
    }


def problems(body, settings, gpus=()):
    with pytest.raises(SpecError) as caught:
        admit(body, settings, list(gpus))
    return {problem.pointer: f"{problem.message} {problem.hint}" for problem in caught.value.problems}


def test_a_good_spec_is_admitted(settings, gsm8k):
    assert admit(gsm8k, settings, []).steps == 1
    assert admit(SMALL, settings, []).total_steps == 10


@pytest.mark.parametrize("path", ["/etc/passwd", "../secret", "a/../../b", "..\\b", "nul\0"])
def test_a_path_that_could_leave_the_root_is_refused(settings, gsm8k, path):
    benchmark = {"name": "b", "data": {"format": "jsonl", "path": path}}
    body = gsm8k | {"data": {"format": "jsonl", "path": path}, "model": {"source": "folder", "path": path}}
    found = problems(body | {"evaluation": {"benchmarks": [benchmark]}}, settings)
    assert set(found) == {"/data/path", "/model/path", "/evaluation/benchmarks/0/data/path"}
    assert "name" in found["/data/path"]


def test_a_link_out_of_the_root_is_as_good_as_not_there(settings, gsm8k, tmp_path):
    (tmp_path / "outside.jsonl").write_text("{}\n")
    (settings.data_root / "link.jsonl").symlink_to(tmp_path / "outside.jsonl")
    assert "/data/path" in problems(gsm8k | {"data": {"format": "jsonl", "path": "link.jsonl"}}, settings)


def test_a_missing_data_file_is_answered_with_those_there_are(settings, gsm8k):
    found = problems(gsm8k | {"data": {"format": "gsm8k", "path": "train.jsonl"}}, settings)
    assert "mini.jsonl" in found["/data/path"]


def test_an_empty_or_broken_data_file_is_refused_by_line_and_field(settings, gsm8k):
    (settings.data_root / "empty.jsonl").touch()
    assert "/data/path" in problems(gsm8k | {"data": {"format": "gsm8k", "path": "empty.jsonl"}}, settings)
    (settings.data_root / "broken.jsonl").write_text('{"question": "One?", "answer": "#### 1"}\n{"question": "Two?"}\n')
    found = problems(gsm8k | {"data": {"format": "gsm8k", "path": "broken.jsonl"}}, settings)["/data/path"]
    assert "answer" in found
    assert "2" in found


def test_data_that_does_not_serve_the_spec_is_refused(settings, gsm8k):
    assert problems(gsm8k | {"prompts_per_step": 2}, settings) == {
        "/prompts_per_step": "2 is more than the 1 problems. Lower it."
    }
    (settings.data_root / "bare.jsonl").write_text('{"prompt": "1+1?", "answer": "2"}\n')
    bare = gsm8k | {"data": {"format": "jsonl", "path": "bare.jsonl"}}
    assert "no expert trace" in problems(bare, settings)["/data/path"]
    assert admit(bare | {"method": "grpo"}, settings, [])


def test_a_response_that_leaves_no_room_for_a_prompt_is_refused(settings):
    benchmark = {"name": "b", "data": {"format": "small_world"}, "max_tokens": 4096}
    body = SMALL | {"sampling": {"max_tokens": 160}, "evaluation": {"benchmarks": [benchmark]}}
    found = problems(body, settings)
    assert set(found) == {"/sampling/max_tokens", "/evaluation/benchmarks/0/max_tokens"}
    assert "160 leaves no room for a prompt in a context of 160. Lower it." in found["/sampling/max_tokens"]


def test_a_model_folder_needs_safetensors(settings, gsm8k):
    folder = settings.models_root / "mine"
    folder.mkdir(parents=True)
    body = gsm8k | {"model": {"source": "folder", "path": "mine"}}
    assert "no config.json" in problems(body, settings)["/model/path"]
    (folder / "config.json").write_text("{}")
    assert "no safetensors weights" in problems(body, settings)["/model/path"]
    (folder / "pytorch_model.bin").touch()
    assert "pickled" in problems(body, settings)["/model/path"]
    (folder / "model.safetensors").touch()
    assert admit(body, settings, [])
    assert "mine" in problems(gsm8k | {"model": {"source": "folder", "path": "yours"}}, settings)["/model/path"]


def test_more_gpus_than_any_live_worker_has_are_refused(settings):
    body = SMALL | {"resources": {"gpus": 2}}
    assert "/resources/gpus" in problems(body, settings, gpus=[0, 1])
    assert admit(body, settings, [0, 2])


def test_a_plan_counts_what_would_be_sampled(settings):
    spec = admit(SMALL | {"method": "sft_then_rl", "sampling": {"max_tokens": 40}}, settings, [])
    found = plan(spec, settings, gpus=[])
    assert found["total_steps"] == spec.total_steps
    assert found["samples_per_step"] == 4 * 8
    assert found["sampled_tokens_at_most"] == 10 * 4 * 8 * 40, "the supervised stage samples nothing"
    assert any("worker" in warning for warning in found["warnings"])


def test_a_revision_of_the_hub_is_a_commit_unless_the_operator_says_otherwise(settings, make_settings, gsm8k):
    hub = {"source": "hub", "id": "a/b"}
    data = {"format": "openr1", "hub": "a/c", "path": "x.parquet"}
    body = gsm8k | {"model": hub | {"revision": "main"}, "data": data | {"revision": "v1"}}
    assert set(problems(body, settings)) == {"/model/revision", "/data/revision"}
    assert admit(body, make_settings(unpinned_revisions=True), [])
    pinned = gsm8k | {"model": hub | {"revision": "0" * 40}, "data": data | {"revision": "1" * 40}}
    assert admit(pinned, settings, [])


def test_steps_fit_the_database(settings):
    assert set(problems(SMALL | {"steps": 10**30}, settings)) == {"/steps"}
