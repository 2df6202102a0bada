"""What an operator adds is judged as the lists judge it, whole or absent; what a run needs is not taken away."""

import json
import os

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from runs.db import reading, writing
from runs.errors import ConflictError, NotFoundError
from runs.inputs import registry
from runs.inputs.registration import add_dataset, add_model, remove_dataset, remove_model
from runs.life import store
from runs.life.admission import admit
from runs.tables import AliasRow
from tests.runs.inputs.test_registry import model_folder
from trapo_core.errors import DataError, ModelError
from trapo_core.model import load_policy, new_qwen2, small_world_tokenizer

ROW = {"prompt": "1+1?", "answer": "2", "traces": ["It is 2."]}
SPEC = {"steps": 1, "prompts_per_step": 1, "sampling": {"max_tokens": 20}}


@pytest.fixture
def own(tmp_path):
    """A model folder outside of the service's."""
    model_folder(tmp_path / "own")
    return tmp_path / "own"


@pytest.fixture
def problems(tmp_path):
    path = tmp_path / "problems.jsonl"
    path.write_text(json.dumps(ROW) + "\n")
    return path


def names_in(folder):
    return sorted(os.listdir(folder)) if folder.is_dir() else []


def test_a_real_model_is_added_named_by_a_spec_and_loaded(engine, settings, tmp_path):
    tokenizer = small_world_tokenizer()
    model = new_qwen2(tokenizer, hidden_size=32, layers=2, heads=2, context=160, seed=1)
    model.save_pretrained(tmp_path / "mine")
    tokenizer.save_pretrained(tmp_path / "mine")
    made = add_model(settings, tmp_path / "mine", "tiny-1")
    assert made.spec == {"model": {"source": "folder", "path": "tiny-1"}}
    assert made.facts["parameters"] == model.num_parameters()
    assert admit(SPEC | made.spec | {"data": {"format": "small_world"}}, settings, [])
    policy = load_policy(settings.models_root / "tiny-1", device=torch.device("cpu"), dtype=torch.float32)
    assert sum(one.numel() for one in policy.parameters()) == model.num_parameters()
    with reading(engine) as session:
        assert [one.name for one in registry.models(session, settings.models_root)] == ["tiny-1"]


def test_on_one_disk_a_model_takes_no_room_and_stays_when_its_folder_goes(settings, own):
    add_model(settings, own)
    weights = settings.models_root / "own" / "model.safetensors"
    assert weights.samefile(own / "model.safetensors")
    (own / "model.safetensors").unlink()
    assert weights.stat().st_size == 5000


def test_what_is_no_part_of_a_model_is_left_out_and_told(settings, own):
    (own / "trainer").mkdir()
    (own / "pytorch_model.bin").touch()
    (own / ".gitattributes").touch()
    assert add_model(settings, own).left_out == (".gitattributes", "pytorch_model.bin", "trainer")
    assert names_in(settings.models_root / "own") == ["config.json", "model.safetensors"]


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda folder: (folder / "model.safetensors").rename(folder / "model.bin"), "pickled"),
        (lambda folder: (folder / "config.json").unlink(), "no config.json"),
        (lambda folder: (folder / "tokenizer.json").symlink_to("/etc/passwd"), "leads out"),
        (lambda folder: (folder / "tokenizer.json").symlink_to("nowhere"), "nowhere"),
        (lambda folder: folder.rename(folder.with_name("away")), "no folder"),
    ],
)
def test_a_folder_that_no_run_could_use_is_refused_and_leaves_nothing(settings, own, spoil, words):
    spoil(own)
    with pytest.raises(ModelError, match=words):
        add_model(settings, own)
    assert names_in(settings.models_root) == []


def test_a_snapshot_of_the_hubs_cache_is_taken_through_its_links(settings, tmp_path):
    blobs, snapshot = tmp_path / "models--o--m" / "blobs", tmp_path / "models--o--m" / "snapshots" / ("a" * 40)
    model_folder(blobs)
    snapshot.mkdir(parents=True)
    for name in names_in(blobs):
        (snapshot / name).symlink_to(f"../../blobs/{name}")
    add_model(settings, snapshot, "m")
    assert not any(path.is_symlink() for path in (settings.models_root / "m").iterdir())
    (snapshot / "out.json").symlink_to("/etc/passwd")
    with pytest.raises(ModelError, match="leads out"):
        add_model(settings, snapshot, "n")


@pytest.mark.parametrize("name", ["", "..", "a/b", ".hidden", "promoted", "x.tmp", "a b", "ü"])
def test_a_name_that_is_none_is_refused(settings, own, name):
    with pytest.raises(ModelError, match="cannot be a model's name"):
        add_model(settings, own, name)
    assert names_in(settings.models_root) == []


def test_a_taken_name_is_refused_and_what_has_it_stays(settings, own, problems):
    add_model(settings, own)
    add_dataset(settings, problems)
    (settings.models_root / "alias").symlink_to("promoted/gone")
    for name in ("own", "alias"):
        with pytest.raises(ConflictError, match="there already"):
            add_model(settings, own, name)
    with pytest.raises(ConflictError, match="there already"):
        add_dataset(settings, problems)
    assert names_in(settings.models_root) == ["alias", "own"]
    assert names_in(settings.data_root) == ["problems.jsonl"]


def test_a_model_that_is_none_once_it_is_copied_leaves_nothing(settings, own):
    (own / "model.safetensors").unlink()
    (own / "model.safetensors").mkdir()
    with pytest.raises(ModelError, match="the models root/own has no safetensors weights"):
        add_model(settings, own)
    assert names_in(settings.models_root) == []


def test_problems_are_added_as_jsonl_and_parquet_and_named_by_a_spec(settings, problems, tmp_path):
    pq.write_table(pa.Table.from_pylist([ROW, ROW | {"prompt": "2+2?"}]), tmp_path / "p.parquet")
    made = add_dataset(settings, problems, "own/first.jsonl")
    assert made.spec == {"data": {"format": "jsonl", "path": "own/first.jsonl"}}
    assert add_dataset(settings, tmp_path / "p.parquet").facts["problems"] == 2
    assert admit(SPEC | made.spec | {"model": {"source": "tiny"}}, settings, [])
    assert [one.name for one in registry.datasets(settings.data_root)] == ["own/first.jsonl", "p.parquet"]


@pytest.mark.parametrize(
    ("text", "name", "words"),
    [
        ("", None, "no rows"),
        ('{"prompt": "a", "answer": 1}\n{"prompt": ', None, "line 2 is not JSON"),
        ('{"text": "a"}', None, "No format fits"),
        (json.dumps(ROW), "x.parquet", "ends alike"),
        (json.dumps(ROW), "x", "ends alike"),
        (json.dumps(ROW), "../x.jsonl", "cannot be a data set's name"),
        (json.dumps(ROW), "/x.jsonl", "cannot be a data set's name"),
        (json.dumps(ROW), "link/x.jsonl", "outside"),
    ],
)
def test_a_file_that_no_run_could_use_is_refused_and_leaves_nothing(settings, problems, tmp_path, text, name, words):
    settings.data_root.mkdir(parents=True)
    (settings.data_root / "link").symlink_to(tmp_path)
    problems.write_text(text)
    with pytest.raises(DataError, match=words):
        add_dataset(settings, problems, name)
    assert names_in(settings.data_root) == ["link"]


def test_a_model_stays_while_a_run_that_names_it_is_not_over(any_engine, settings, own, make_run):
    add_model(settings, own)
    run_id = make_run(any_engine, model={"source": "folder", "path": "own"})
    with pytest.raises(ConflictError, match=f"Run {run_id} names own"):
        remove_model(any_engine, settings, "own")
    assert (settings.models_root / "own" / "config.json").is_file()
    with writing(any_engine) as session:
        store.cancel(session, run_id)
    remove_model(any_engine, settings, "own")
    assert names_in(settings.models_root) == []
    with pytest.raises(NotFoundError):
        remove_model(any_engine, settings, "own")


@pytest.mark.parametrize("where", ["data", "benchmark", "demonstrations"])
def test_problems_stay_while_a_run_that_reads_them_is_not_over(any_engine, settings, problems, make_run, where):
    add_dataset(settings, problems)
    part = {"format": "jsonl", "path": "./problems.jsonl"}
    fields = {
        "data": {"data": part, "model": {"source": "tiny"}},
        "benchmark": {"model": {"source": "tiny"}, "evaluation": {"benchmarks": [{"name": "b", "data": part}]}},
        "demonstrations": {"model": {"source": "tiny"}, "method": "srft", "demonstrations": {"data": part}},
    }[where]
    other = {"format": "jsonl", "path": "other.jsonl"}
    run_id = make_run(any_engine, **({"data": other} | fields))
    with pytest.raises(ConflictError, match=f"Run {run_id} names problems.jsonl"):
        remove_dataset(any_engine, settings, "problems.jsonl")
    with writing(any_engine) as session:
        store.cancel(session, run_id)
    remove_dataset(any_engine, settings, "problems.jsonl")
    assert names_in(settings.data_root) == []


def test_an_alias_goes_by_the_rule_of_aliases_and_a_link_alone(engine, settings):
    root = settings.models_root
    model_folder(root / "promoted/run_1-step-000002")
    (root / "best").symlink_to("promoted/run_1-step-000002")
    (root / "made-by-hand").symlink_to("best")
    with writing(engine) as session:
        path = "promoted/run_1-step-000002"
        session.add(AliasRow(name="best", run_id="r", step=2, sha256="ab", path=path, created_by="t"))
    remove_model(engine, settings, "made-by-hand")
    remove_model(engine, settings, "best")
    assert names_in(root) == ["promoted"]
    assert names_in(root / "promoted") == ["run_1-step-000002"]


@pytest.mark.parametrize("name", ["", ".", "..", "../data", "promoted", "promoted/run_1", "/etc", ".x-1.tmp"])
def test_only_what_is_listed_can_be_removed(engine, settings, name):
    model_folder(settings.models_root / "promoted/run_1")
    with pytest.raises(NotFoundError):
        remove_model(engine, settings, name)
    with pytest.raises(NotFoundError):
        remove_dataset(engine, settings, name)
    assert (settings.models_root / "promoted/run_1/config.json").is_file()
