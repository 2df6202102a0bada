"""Checkpoints over HTTP: kept, taken away whole or in parts, and named."""

import base64
import hashlib
import io
import json
import shutil
import tarfile

import pytest

from runs.db import writing
from runs.life import leases
from runs.life.leases import Worker
from runs.record.checkpoints import PINNED
from runs.record.ingest import ingest
from trapo_core import checkpoint
from trapo_core.events import AttemptStarted, CheckpointSaved, EventWriter


@pytest.fixture
def saved(client, engine, settings, run_id):
    """The address of a run's checkpoints: of steps 2 and 4, with made-up weights."""
    with writing(engine) as session:
        lease = leases.claim(session, run_id, Worker("w", "h", 0), 60)
    run_dir = settings.run_dir(run_id)
    tell = EventWriter(_made(run_dir))
    tell(AttemptStarted(attempt=1, resumed_from_step=0, total_steps=10, pid=1))
    for step in (2, 4):
        path = f"checkpoints/step-{step:06d}"
        _checkpoint(_made(run_dir / path), step)
        tell(CheckpointSaved(step=step, path=path, bytes=7, sha256="ab"))
    tell(CheckpointSaved(step=6, path="../../../outside", bytes=7, sha256="ab"))
    tell.close()
    ingest(engine, lease, run_dir)
    return f"/api/v1/runs/{run_id}/checkpoints"


def _made(folder):
    folder.mkdir(parents=True)
    return folder


def _checkpoint(folder, step):
    config = {"model_type": "qwen2", "vocab_size": 32, "hidden_size": 8, "num_hidden_layers": 1,
              "num_attention_heads": 2, "num_key_value_heads": 2, "intermediate_size": 16,
              "max_position_embeddings": 4096}  # fmt: skip
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "model.safetensors").write_bytes(bytes([step]) * 5000)
    (_made(folder / "trainer") / "state.json").write_text("{}")


def test_a_pin_is_seen_by_the_training_process(client, saved, settings, run_id):
    assert PINNED == checkpoint.PINNED
    assert client.post(f"{saved}/2/pin").json()["pinned"] is True
    assert client.post(f"{saved}/2/pin").json()["pinned"] is True
    checkpoint.prune(settings.run_dir(run_id), keep_last=1)
    assert [(row["step"], row["pinned"]) for row in client.get(saved).json()["data"]] == [(2, True), (4, False)]
    assert client.post(f"{saved}/2/unpin").json()["pinned"] is False
    checkpoint.prune(settings.run_dir(run_id), keep_last=1)
    assert client.post(f"{saved}/2/pin").status_code == 404


def test_who_pinned_and_unpinned_is_in_the_audit_log(client, saved, run_id):
    client.post(f"{saved}/2/pin")
    client.post(f"{saved}/2/unpin")
    client.post(f"{saved}/3/pin")
    entries = client.get("/api/v1/audit", params={"run_id": run_id}).json()["data"]
    assert [(entry["principal"], entry["route"].rpartition("/")[2], entry["outcome"]) for entry in entries[:3]] == [
        ("admin", "pin", "refused"), ("admin", "unpin", "done"), ("admin", "pin", "done"),
    ]  # fmt: skip


def test_a_file_comes_whole_or_in_parts_with_its_checksum(client, saved):
    names = [file["name"] for file in client.get(f"{saved}/4/files").json()["data"]]
    assert names == ["config.json", "model.safetensors", "trainer/state.json"]
    whole = client.get(f"{saved}/4/files/model.safetensors")
    assert whole.content == b"\4" * 5000
    digest = base64.b64encode(hashlib.sha256(whole.content).digest()).decode()
    assert whole.headers["repr-digest"] == f"sha-256=:{digest}:"
    part = client.get(f"{saved}/4/files/model.safetensors", headers={"Range": "bytes=4990-"})
    assert (part.status_code, part.headers["content-range"]) == (206, "bytes 4990-4999/5000")
    assert len(part.content) == 10
    assert part.headers["repr-digest"] == whole.headers["repr-digest"]


@pytest.mark.parametrize(
    ("asked", "status", "length"),
    [
        ({"Range": "bytes=0-0"}, 206, 1),
        ({"Range": "bytes=-7"}, 206, 7),
        ({"Range": "bytes=10-99999"}, 206, 4990),
        ({"Range": "bytes=0-"}, 200, 5000),
        ({"Range": "bytes=1-2,4-5"}, 200, 5000),
        ({"Range": "lines=1-2"}, 200, 5000),
        ({"Range": "bytes=0-0", "If-Range": '"another"'}, 200, 5000),
    ],
)
def test_a_range_is_given_where_there_is_one(client, saved, asked, status, length):
    answer = client.get(f"{saved}/4/files/model.safetensors", headers=asked)
    assert (answer.status_code, len(answer.content)) == (status, length)


def test_a_range_beyond_the_end_is_refused_with_the_size(client, saved):
    answer = client.get(f"{saved}/4/files/model.safetensors", headers={"Range": "bytes=5000-"})
    assert (answer.status_code, answer.headers["content-range"]) == (416, "bytes */5000")
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_checkpoint_is_downloaded_as_a_tar_in_two_parts(client, saved):
    first = client.get(f"{saved}/4/tar", headers={"Range": "bytes=0-6999"})
    resumed = {"Range": "bytes=7000-", "If-Range": first.headers["etag"]}
    data = first.content + client.get(f"{saved}/4/tar", headers=resumed).content
    assert hashlib.sha256(data).hexdigest() == first.headers["etag"].strip('"')
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        assert tar.extractfile("step-000004/model.safetensors").read() == b"\4" * 5000


@pytest.mark.parametrize("name", ["../../spec.json", "%2e%2e/%2e%2e/events.jsonl", "/etc/passwd", "pinned", "nothing"])
def test_only_listed_files_are_given(client, saved, name):
    client.post(f"{saved}/4/pin")
    assert client.get(f"{saved}/4/files/{name}").status_code == 404


def test_a_path_that_leads_out_of_the_run_is_no_checkpoint(client, saved, settings):
    (settings.home / "runs" / ".." / "outside").resolve().mkdir(exist_ok=True)
    assert client.get(f"{saved}/6/files").status_code == 404


def test_an_alias_is_a_model_that_outlives_the_run(client, saved, settings, run_id, spec):
    named = client.post(f"{saved}/2/promote", json={"alias": "best"}).json()
    assert (named["name"], named["run_id"], named["step"]) == ("best", run_id, 2)
    asked = {**spec, "model": {"source": "folder", "path": "best"}, "data": {"format": "small_world"}}
    first = client.post("/api/v1/runs", json=asked)
    assert first.status_code == 201, first.text
    again = client.post(f"{saved}/4/promote", json={"alias": "best"})
    assert client.get("/api/v1/aliases").json()["data"] == [again.json()]
    assert client.get(saved).json()["data"][1]["aliases"] == ["best"]
    shutil.rmtree(settings.run_dir(run_id))
    second = client.post("/api/v1/runs", json=asked).json()
    for answer, step in ((first.json(), 2), (second, 4)):
        folder = settings.models_root / answer["spec"]["model"]["path"]
        assert not folder.is_symlink()
        assert (folder / "model.safetensors").read_bytes() == bytes([step]) * 5000
        assert not (folder / "trainer").exists()


@pytest.mark.parametrize(("alias", "status"), [("../x", 422), ("", 422), (".x", 422), ("promoted", 409), ("own", 409)])
def test_an_alias_is_a_plain_name_that_is_free(client, saved, settings, alias, status):
    (settings.models_root / "own").mkdir(parents=True)
    assert client.post(f"{saved}/4/promote", json={"alias": alias}).status_code == status
