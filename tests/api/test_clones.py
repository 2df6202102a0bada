"""Clone, retry, archive and delete, over HTTP."""

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from api.main import create_app
from runs.db import writing
from runs.tables import CheckpointRow, RunRow, SegmentRow


def clone(client, run_id, headers=None, **body):
    return client.post(f"/api/v1/runs/{run_id}/clone", json=body, headers=headers)


@pytest.fixture
def saved(engine, settings, run_id):
    """A checkpoint of step 5, on the disk and in the rows."""
    folder = settings.run_dir(run_id) / "checkpoints" / "step-000005"
    (folder / "trainer").mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(b"weights")
    (folder / "trainer" / "optimizer.safetensors").write_bytes(b"moments")
    with writing(engine) as session:
        session.add(SegmentRow(run_id=run_id, segment=1, first_step=1))
        run = session.scalar(select(RunRow))
        row = {"step": 5, "path": "checkpoints/step-000005", "bytes": 1, "sha256": "0" * 64}
        session.add(CheckpointRow(run_id=run_id, segment=1, created_at=run.created_at, **row))
    return folder


def test_a_clone_is_a_new_run_with_some_fields_changed(client, run_id):
    answer = clone(client, run_id, overrides={"optimizer.lr": 1e-4, "name": "second"}, priority=3)
    assert answer.status_code == 201
    made, first = answer.json(), client.get(f"/api/v1/runs/{run_id}").json()
    assert answer.headers["location"].endswith(made["id"])
    assert (made["parent_id"], made["name"], made["state"], made["priority"]) == (run_id, "second", "queued", 3)
    assert made["overrides"] == {"optimizer.lr": 1e-4, "name": "second"}
    changed = {field for field in made["spec"] if made["spec"][field] != first["spec"][field]}
    assert changed == {"optimizer", "name"}


def test_a_clone_with_an_idempotency_key_is_made_once(client, run_id):
    one, two = [clone(client, run_id, {"Idempotency-Key": "k"}, overrides={"seed": 2}).json() for _ in range(2)]
    assert one["id"] == two["id"]
    assert clone(client, run_id, {"Idempotency-Key": "k"}, overrides={"seed": 3}).status_code == 422


@pytest.mark.parametrize(
    ("overrides", "pointer"),
    [
        ({"optimizer.lr": -1}, "/overrides/optimizer.lr"),
        ({"optimizer.lrr": 1}, "/overrides/optimizer.lrr"),
        ({"guidance.slots.99.ratio": 1}, "/overrides/guidance.slots.99.ratio"),
        ({"method": "grpo"}, "/overrides/method"),
    ],
)
def test_a_wrong_override_is_named(client, run_id, overrides, pointer):
    answer = clone(client, run_id, overrides=overrides)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, pointer)


def test_numbers_that_json_lacks_are_refused(client, run_id):
    body, headers = '{"overrides": {"steps": NaN}}', {"Content-Type": "application/json"}
    assert client.post(f"/api/v1/runs/{run_id}/clone", content=body, headers=headers).status_code == 422


def test_a_clone_from_a_checkpoint_begins_with_its_weights_whatever_becomes_of_the_other(
    client, settings, run_id, saved, monkeypatch
):
    (saved / "config.json").write_text(
        '{"model_type": "qwen2", "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, '
        '"num_attention_heads": 4, "num_key_value_heads": 4, "vocab_size": 64, "max_position_embeddings": 160}'
    )
    answer = clone(client, run_id, from_checkpoint=5)
    assert answer.status_code == 201, answer.text
    source = answer.json()["spec"]["model"]
    kept = settings.models_root / source["path"]
    assert (source["source"], answer.json()["overrides"]) == ("folder", {"from_checkpoint": 5})
    (saved / "model.safetensors").unlink()
    assert (kept / "model.safetensors").read_bytes() == b"weights"
    assert sorted(path.name for path in kept.iterdir()) == ["config.json", "model.safetensors"]
    assert clone(client, run_id, from_checkpoint=5).status_code == 201, "the second finds it there"


def test_a_checkpoint_that_is_not_there_is_named_with_those_that_are(client, run_id, saved):
    problem = clone(client, run_id, from_checkpoint=6).json()["errors"][0]
    assert (problem["pointer"], "5" in problem["hint"]) == ("/from_checkpoint", True)


def test_retry_takes_a_cancelled_run_on_and_resume_does_not(client, run_id):
    client.post(f"/api/v1/runs/{run_id}/cancel")
    assert client.post(f"/api/v1/runs/{run_id}/resume").status_code == 409
    assert client.post(f"/api/v1/runs/{run_id}/retry").json()["state"] == "queued"
    conflict = client.post(f"/api/v1/runs/{run_id}/retry")
    assert (conflict.status_code, "queued" in conflict.json()["detail"]) == (409, True)


def test_a_deleted_run_is_out_of_the_lists_until_it_is_had_back(client, run_id):
    assert client.delete(f"/api/v1/runs/{run_id}").status_code == 409
    client.post(f"/api/v1/runs/{run_id}/cancel")
    assert client.delete(f"/api/v1/runs/{run_id}").json()["deleted_at"]
    assert client.get("/api/v1/runs").json()["data"] == []
    assert [run["id"] for run in client.get("/api/v1/runs?deleted=true").json()["data"]] == [run_id]
    assert clone(client, run_id).status_code == 409
    assert client.patch(f"/api/v1/runs/{run_id}", json={"notes": "gone"}).status_code == 409
    assert client.post(f"/api/v1/runs/{run_id}/undelete").json()["deleted_at"] is None
    assert client.post(f"/api/v1/runs/{run_id}/archive").json()["archived_at"]
    assert client.get("/api/v1/runs").json()["data"] == []
    assert client.post(f"/api/v1/runs/{run_id}/unarchive").json()["archived_at"] is None


def test_on_a_nearly_full_disk_nothing_is_accepted(make_settings, engine, spec):
    settings = make_settings(min_free_bytes=1 << 60)
    with TestClient(create_app(settings)) as client:
        client.headers["Authorization"] = f"Bearer {(settings.home / 'admin-key').read_text().strip()}"
        for path, body in (("runs", spec), ("sweeps", {"spec": spec})):
            answer = client.post(f"/api/v1/{path}", json=body)
            assert (answer.status_code, answer.json()["code"]) == (507, "disk_full")
        assert client.post("/api/v1/runs?dry_run=true", json=spec).status_code == 200
