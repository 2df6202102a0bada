"""What can be named: listed with its facts, and with what is wrong."""

import json
import os

import pytest

from runs.db import reading, writing
from runs.errors import ConflictError, NotFoundError
from runs.inputs import registry
from runs.tables import AliasRow

CONFIG = {
    "model_type": "qwen2", "architectures": ["Qwen2ForCausalLM"], "vocab_size": 32, "hidden_size": 8,
    "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 2, "intermediate_size": 16,
}  # fmt: skip


def model_folder(path, weights="model.safetensors"):
    path.mkdir(parents=True)
    (path / "config.json").write_text(json.dumps(CONFIG))
    (path / weights).write_bytes(b"x" * 5000)


def listed(engine, root):
    with reading(engine) as session:
        return {one.name: one for one in registry.models(session, root)}


@pytest.fixture
def named(engine, settings):
    """An alias `best` of a promoted checkpoint."""
    version = "promoted/run_1-step-000002"
    model_folder(settings.models_root / version)
    (settings.models_root / "best").symlink_to(version)
    with writing(engine) as session:
        session.add(AliasRow(name="best", run_id="run_1", step=2, sha256="ab", path=version, created_by="t"))


def test_a_folder_is_listed_with_its_size_and_shape(engine, tmp_path):
    model_folder(tmp_path / "tiny")
    one = listed(engine, tmp_path)["tiny"]
    assert (one.kind, one.architecture, one.bytes, one.problem) == ("folder", "Qwen2ForCausalLM", 5000, None)
    assert one.parameters > 0


def test_what_no_run_can_use_says_why_and_shows_no_path_of_the_host(engine, tmp_path):
    model_folder(tmp_path / "pickled", "model.bin")
    (tmp_path / "empty").mkdir()
    (tmp_path / "out").symlink_to("/")
    found = listed(engine, tmp_path)
    assert "pickled weights" in found["pickled"].problem
    assert "config.json" in found["empty"].problem
    assert "leads out" in found["out"].problem
    assert not any(str(tmp_path) in found[name].problem for name in ("pickled", "empty", "out"))


def test_an_alias_is_listed_once_with_its_checkpoint(engine, settings, named):
    (one,) = listed(engine, settings.models_root).values()
    assert (one.name, one.kind, one.run_id, one.step, one.sha256) == ("best", "alias", "run_1", 2, "ab")
    assert one.problem is None


def test_an_alias_stays_while_a_run_that_begins_with_it_is_not_over(engine, settings, named, make_run):
    make_run(engine, model={"source": "folder", "path": "promoted/run_1-step-000002"})
    with pytest.raises(ConflictError, match="is not over"), writing(engine) as session:
        registry.remove_alias(session, settings, "best")
    assert (settings.models_root / "best").is_symlink()


def test_a_removed_alias_leaves_its_model(engine, settings, named):
    with writing(engine) as session:
        registry.remove_alias(session, settings, "best")
    assert not (settings.models_root / "best").is_symlink()
    assert (settings.models_root / "promoted/run_1-step-000002/config.json").is_file()
    with pytest.raises(NotFoundError), writing(engine) as session:
        registry.remove_alias(session, settings, "best")


def test_a_file_is_listed_with_its_format_and_its_unique_problems(tmp_path):
    row = {"question": "1+1?", "answer": "two #### 2"}
    (tmp_path / "gsm8k").mkdir()
    (tmp_path / "gsm8k" / "train.jsonl").write_text(f"{json.dumps(row)}\n" * 3)
    (tmp_path / "own.jsonl").write_text(json.dumps({"prompt": "a", "answer": 1}))
    gsm8k, own = registry.datasets(tmp_path)
    assert (gsm8k.name, gsm8k.format, gsm8k.rows, gsm8k.problems) == ("gsm8k/train.jsonl", "gsm8k", 3, 1)
    assert (gsm8k.traces, gsm8k.columns, gsm8k.problem) == (True, ("question", "answer"), None)
    assert (own.format, own.problems, own.traces) == ("jsonl", 1, False)


def test_a_file_that_cannot_be_read_says_where(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"prompt": "a", "answer": 1}\n{"prompt": ')
    (tmp_path / "b.jsonl").write_text('{"text": "a"}')
    (tmp_path / "c.parquet").write_text("no")
    (tmp_path / "d.jsonl").write_text("")
    (tmp_path / "e.jsonl").symlink_to("/etc/passwd")
    problems = {one.name[0]: one.problem for one in registry.datasets(tmp_path)}
    assert problems["a"].startswith("a.jsonl, line 2 is not JSON")
    assert "No format fits" in problems["b"] and "text" in problems["b"]
    assert problems["c"] and "no rows" in problems["d"] and "leads out" in problems["e"]
    assert not any(str(tmp_path) in problem for problem in problems.values())


def test_a_file_is_read_again_only_when_it_changed(tmp_path):
    path = tmp_path / "own.jsonl"
    path.write_text('{"prompt": "a", "answer": 1}\n')
    assert registry.datasets(tmp_path)[0].problems == 1
    facts = path.stat()
    path.write_text('{"wrong_": "a", "answer": 1}\n')
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    assert registry.datasets(tmp_path)[0].problems == 1  # by size and time it is the same
    path.write_text('{"prompt": "a", "answer": 1}\n{"prompt": "b", "answer": 1}\n')
    assert registry.datasets(tmp_path)[0].problems == 2


def test_a_folder_that_is_not_there_has_nothing(engine, tmp_path):
    assert listed(engine, tmp_path / "none") == {}
    assert registry.datasets(tmp_path / "none") == []
