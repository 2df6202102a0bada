"""`trapo models` and `trapo datasets`, as an operator types them, beside a service that runs."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from client import Client
from client.places import SERVICE_FILE
from tests.client.conftest import MODEL, SPEC

Trapo = Callable[..., Any]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Not where the tests are started from: data may lie beside that."""
    folder = tmp_path / "a" / "b"
    folder.mkdir(parents=True)
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(MODEL))
    (folder / "model.safetensors").write_bytes(b"x" * 5000)
    (folder / "training_args.bin").touch()
    return folder


@pytest.fixture
def problems(tmp_path: Path) -> Path:
    file = tmp_path / "p.jsonl"
    file.write_text('{"prompt": "1+1?", "answer": "2"}\n')
    return file


def test_where_nothing_is_registered_it_says_what_there_is_and_how_to_add(trapo: Trapo, client: Client) -> None:
    models, datasets = trapo("models").out, trapo("datasets").out
    assert "source: small_world" in models and "`trapo models add FOLDER`" in models
    assert "format: small_world" in datasets and "`trapo datasets add FILE`" in datasets
    assert (trapo("models", "--json").json, trapo("datasets", "ls", "--json").json) == ([], [])


def test_a_model_is_added_listed_used_and_removed_when_no_run_needs_it(
    trapo: Trapo, client: Client, model: Path
) -> None:
    said = trapo("models", "add", model, "--name", "tiny")
    assert said.status == 0, said.err
    assert "In a spec: model: {source: folder, path: tiny}" in said.out
    assert "training_args.bin" in said.out
    assert "tiny" in trapo("models").out
    run = client.submit({**SPEC, "model": {"source": "folder", "path": "tiny"}, "data": {"format": "small_world"}})
    refused = trapo("models", "rm", "tiny")
    assert refused.status == 1
    assert f"Run {run.id} names tiny and is not over." in refused.err
    client.cancel(run.id)
    assert trapo("models", "rm", "tiny").out == "tiny  removed\n"
    assert client.list_models() == []


def test_problems_are_added_before_the_service_first_starts_and_removed(
    trapo: Trapo, problems: Path, home: Path
) -> None:
    said = trapo("datasets", "add", problems, "--name", "own/first.jsonl")
    assert "In a spec: data: {format: jsonl, path: own/first.jsonl}" in said.out
    assert "1 problem without traces" in said.out
    assert (home / "data" / "own" / "first.jsonl").is_file()
    taken = trapo("datasets", "add", problems, "--name", "own/first.jsonl")
    assert taken.status == 1 and "is there already" in taken.err


def test_data_is_removed_beside_a_service_and_json_has_the_facts(trapo: Trapo, client: Client, problems: Path) -> None:
    made = trapo("datasets", "add", problems, "--json").json
    assert (made["name"], made["facts"]["problems"]) == ("p.jsonl", 1)
    assert [one.name for one in client.list_datasets()] == ["p.jsonl"]
    assert trapo("datasets", "rm", "p.jsonl", "--json").json == {"name": "p.jsonl"}
    again = trapo("datasets", "rm", "p.jsonl")
    assert again.status == 1 and "`trapo datasets` lists" in again.err


def test_what_cannot_be_used_is_refused_with_the_remedy(trapo: Trapo, model: Path, problems: Path) -> None:
    (model / "model.safetensors").unlink()
    assert "pickled weights (training_args.bin)" in trapo("models", "add", model).err
    problems.write_text("[1")
    assert "line 1 is not JSON" in trapo("datasets", "add", problems).err


def test_data_that_only_lie_nearby_are_not_written_to(
    trapo: Trapo, model: Path, problems: Path, elsewhere: Path, home: Path
) -> None:
    near = elsewhere.parent / "shared" / "data"
    near.mkdir(parents=True)
    said = trapo("datasets", "add", problems)
    assert said.status == 2 and "Set TRAPO_DATA_DIR" in said.err
    assert trapo("models", "add", model).status == 0
    assert list(near.iterdir()) == []
    (home / SERVICE_FILE).write_text(json.dumps({"url": "http://x", "roots": {"TRAPO_DATA_DIR": str(near)}}))
    assert trapo("datasets", "add", problems).status == 0, "the service that runs has them there"
    assert (near / "p.jsonl").is_file()
