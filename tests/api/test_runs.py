"""Submitting, listing and wishing, over HTTP."""

from pathlib import Path

import pytest
from sqlalchemy import func, select

from runs.db import reading, writing
from runs.life import leases
from runs.life.leases import Worker
from runs.tables import EventRow, RunRow
from trapo_core.estimate import estimate
from trapo_core.shapes import shape_of
from trapo_core.spec import parse_spec


def count(engine, column):
    with reading(engine) as session:
        return session.scalar(select(func.count(column)))


def test_a_submitted_run_is_stored_with_its_resolved_spec_and_its_first_event(client, engine, spec):
    answer = client.post("/api/v1/runs", json=spec)
    assert answer.status_code == 201
    run = answer.json()
    assert answer.headers["location"] == f"/api/v1/runs/{run['id']}"
    assert (run["state"], run["method"], run["total_steps"], run["tags"]) == ("queued", "trapo", 10, ["a"])
    assert run["spec"]["guidance"]["slots"][1]["threshold"] == 0.5
    assert client.get(answer.headers["location"]).json() == run
    events = client.get(f"/api/v1/runs/{run['id']}/events").json()
    assert [event["type"] for event in events["data"]] == ["run_created"]
    assert events["next_cursor"] == str(events["data"][-1]["seq"])


def test_without_redis_a_run_is_accepted_all_the_same(client, spec):
    """These tests have no Redis at all."""
    assert client.post("/api/v1/runs", json=spec).status_code == 201


def test_a_dry_run_plans_and_stores_nothing(client, engine, spec):
    answer = client.post("/api/v1/runs?dry_run=true", json=spec)
    assert answer.status_code == 200
    assert answer.json()["samples_per_step"] == 4 * 8
    assert any("No worker" in warning for warning in answer.json()["warnings"])
    assert count(engine, RunRow.id) == 0


def test_a_dry_run_estimates_what_trapo_plan_does(client, spec):
    answer = client.post("/api/v1/runs?dry_run=true&gpu=a100", json=spec).json()["estimate"]
    parsed = parse_spec(spec)
    assert answer["device"] == "a100"
    assert answer == estimate(parsed, shape_of(parsed.model, Path()), device="a100").model_dump(mode="json")
    assert client.post("/api/v1/runs?dry_run=true&gpu=abacus", json=spec).status_code == 422


def test_a_wrong_spec_names_every_field_and_stores_nothing(client, engine, spec):
    answer = client.post("/api/v1/runs", json=spec | {"steps": 0, "stepz": 3})
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert (problem["code"], problem["status"]) == ("spec_invalid", 422)
    hints = {error["pointer"]: error["hint"] for error in problem["errors"]}
    assert set(hints) == {"/steps", "/stepz"}
    assert "steps" in hints["/stepz"]
    assert count(engine, EventRow.seq) == 0


def test_a_missing_file_is_refused_before_anything_is_stored(client, engine, spec):
    body = spec | {"model": {"source": "tiny"}, "data": {"format": "gsm8k", "path": "none.jsonl"}}
    answer = client.post("/api/v1/runs", json=body)
    assert answer.json()["errors"][0]["pointer"] == "/data/path"
    assert count(engine, RunRow.id) == 0


def test_the_same_idempotency_key_makes_one_run(client, engine, spec):
    headers = {"Idempotency-Key": "abc"}
    first = client.post("/api/v1/runs", json=spec, headers=headers)
    again = client.post("/api/v1/runs", json=spec, headers=headers)
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json()["id"] == again.json()["id"]
    assert (first.headers["idempotency-replayed"], again.headers["idempotency-replayed"]) == ("false", "true")
    assert count(engine, RunRow.id) == 1
    other = client.post("/api/v1/runs", json=spec | {"seed": 1}, headers=headers)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")


def test_lists_are_newest_first_in_pages_and_filtered(client, spec):
    ids = [client.post("/api/v1/runs", json=spec | {"method": m}).json()["id"] for m in ("trapo", "grpo", "sft")]
    client.post("/api/v1/runs", json=spec | {"tags": ["ab"]})
    client.post(f"/api/v1/runs/{ids[0]}/cancel")
    page = client.get("/api/v1/runs?limit=3").json()
    assert len(page["data"]) == 3
    rest = client.get("/api/v1/runs", params={"limit": 3, "cursor": page["next_cursor"]}).json()
    seen = [run["id"] for run in page["data"] + rest["data"]]
    assert seen == sorted(seen, reverse=True)
    assert len(seen) == 4
    assert rest["next_cursor"] is None

    def found(**filters):
        return {run["id"] for run in client.get("/api/v1/runs", params=filters).json()["data"]}

    assert found(state="cancelled") == {ids[0]}
    assert found(method="grpo") == {ids[1]}
    assert found(tag="a") == set(ids)
    assert found(kind="eval") == set()
    assert client.get("/api/v1/runs?state=sleeping").status_code == 422


def test_wishes_and_their_conflicts(client, engine, run_id):
    assert client.post(f"/api/v1/runs/{run_id}/pause").json()["state"] == "paused"
    assert client.post(f"/api/v1/runs/{run_id}/resume").json()["state"] == "queued"
    with writing(engine) as session:
        leases.claim(session, run_id, Worker("w", "h", 0), 60)
    assert client.post(f"/api/v1/runs/{run_id}/cancel").json()["desired"] == "cancel"
    conflict = client.post(f"/api/v1/runs/{run_id}/pause")
    assert (conflict.status_code, conflict.json()["code"]) == (409, "conflict")
    assert "starting" in conflict.json()["detail"]


@pytest.mark.parametrize("verb", ["resume", "retry"])
def test_a_run_that_waits_already_is_said_to_and_what_else_can_be_done(client, run_id, verb):
    detail = client.post(f"/api/v1/runs/{run_id}/{verb}").json()["detail"]
    assert detail == f"Run {run_id} is queued already. It waits for a worker; it can be paused or cancelled."
    client.post(f"/api/v1/runs/{run_id}/cancel")
    detail = client.post(f"/api/v1/runs/{run_id}/pause").json()["detail"]
    assert detail == f"Run {run_id} is cancelled, so it cannot be paused. It can be retried."


def test_a_cancelled_run_carries_its_advice_and_stays(client, run_id):
    run = client.post(f"/api/v1/runs/{run_id}/cancel").json()
    assert (run["state"], run["reason"]) == ("cancelled", "user_cancelled")
    assert run["advice"]
    assert client.post(f"/api/v1/runs/{run_id}/resume").status_code == 409


def test_an_unknown_run_is_not_found_everywhere(client):
    for path in ("", "/attempts", "/events", "/logs", "/checkpoints", "/series", "/guidance", "/scores"):
        answer = client.get(f"/api/v1/runs/run_none{path}")
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
