"""A run made elsewhere comes in whole and is like any other, or leaves nothing."""

import json

import pytest
from sqlalchemy import func, select

from runs.db import reading
from runs.tables import Base, RunRow

URL = "/api/v1/imports"
TS = "2026-01-01T00:00:00Z"
HEADER = {"type": "import", "source": "trapo", "name": "elsewhere", "tags": ["a"], "spec": None}
SCORE = {
    "type": "score", "ts": TS, "step": 3, "benchmark": "b", "metric": "avg@4", "score": 0.5, "low": 0.4, "high": 0.6,
    "confidence": 0.95, "interval": "wilson", "problems": 9, "samples": 4,
}  # fmt: skip
ENDED = {"type": "ended", "ts": "2026-01-01T01:00:00Z", "outcome": "succeeded", "step": 3}


def started(resumed_from_step=0, **more):
    return {
        "type": "attempt_started", "ts": TS, "attempt": 1, "resumed_from_step": resumed_from_step, "total_steps": 3,
        "pid": 1,
    } | more  # fmt: skip


def step(number, value=0.5, **more):
    return {"type": "step", "ts": TS, "step": number, "seconds": 1.0, "metrics": {"loss": value}} | more


def body(*lines, header=HEADER):
    return "".join(json.dumps(line) + "\n" for line in (header, *lines))


WHOLE = body(started(), step(1), step(2, 9), started(1), step(2, "NaN"), step(3, "Infinity"), SCORE, ENDED)


def rows(engine):
    """How many rows there are of what an import makes."""
    tables = ("runs", "attempts", "segments", "events", "series", "points", "scores", "rollups", "idempotency")
    with reading(engine) as session:
        return {name: session.scalar(select(func.count()).select_from(Base.metadata.tables[name])) for name in tables}


def test_an_import_is_a_run_that_is_over_and_shows_each_step_once(client, engine):
    made = client.post(URL, content=WHOLE)
    assert made.status_code == 201
    run = made.json()
    assert (run["kind"], run["state"], run["imported_from"]) == ("import", "succeeded", "trapo")
    assert (run["name"], run["tags"], run["step"], run["total_steps"], run["attempts"]) == ("elsewhere", ["a"], 3, 3, 2)
    assert (run["started_at"], run["ended_at"]) == (TS, "2026-01-01T01:00:00Z")
    path = made.headers["location"]
    assert client.get(f"{path}/points?key=loss").text == "key,step,value\nloss,1,0.5\nloss,2,NaN\nloss,3,Infinity\n"
    assert client.get(f"{path}/scores").json()["data"][0]["score"] == 0.5
    assert [one["resumed_from_step"] for one in client.get(f"{path}/attempts").json()["data"]] == [0, 1]
    assert [one["id"] for one in client.get("/api/v1/runs?kind=import").json()["data"]] == [run["id"]]
    types = [event["type"] for event in client.get(f"{path}/events").json()["data"]]
    assert (types[0], types[-1]) == ("run_created", "run_state")


def test_who_imported_is_in_the_audit_log_once(client):
    run = client.post(URL, content=WHOLE).json()
    [entry] = client.get("/api/v1/audit", params={"run_id": run["id"]}).json()["data"]
    assert (entry["route"], entry["outcome"]) == (URL, "done")


def test_the_same_key_is_the_same_run_and_another_body_is_refused(client, engine):
    headers = {"Idempotency-Key": "once"}
    first, again = (client.post(URL, content=WHOLE, headers=headers) for _ in range(2))
    assert (first.json()["id"], again.headers["idempotency-replayed"]) == (again.json()["id"], "true")
    assert rows(engine)["runs"] == 1
    other = client.post(URL, content=body(started(), step(1)), headers=headers)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")


def test_nothing_that_would_start_it_is_possible(client):
    run = client.post(URL, content=body(started(), step(1), ENDED | {"outcome": "failed", "reason": "nan_loss"})).json()
    assert (run["state"], run["reason"]) == ("failed", "nan_loss")
    path = f"/api/v1/runs/{run['id']}"
    for action in ("resume", "retry"):
        answer = client.post(f"{path}/{action}")
        assert answer.status_code == 409
        assert "was imported" in answer.json()["detail"]
    assert client.post(f"{path}/clone", json={}).status_code == 409
    assert client.post(f"{path}/cancel").status_code == 409


def test_one_with_a_spec_is_a_run_of_its_kind_and_can_be_cloned(client, spec):
    run = client.post(URL, content=body(started(), step(1), header=HEADER | {"spec": spec})).json()
    assert (run["kind"], run["method"], run["state"], run["reason"]) == ("train", "trapo", "cancelled", "unfinished")
    assert client.post(f"/api/v1/runs/{run['id']}/resume").status_code == 409
    clone = client.post(f"/api/v1/runs/{run['id']}/clone", json={"overrides": {"steps": 2}}).json()
    assert (clone["state"], clone["imported_from"]) == ("queued", None)


HOSTILE = {
    "empty": ("", 1, ""),
    "no JSON": ("{", 1, ""),
    "no header": (body(header=started()), 1, "/type"),
    "a wrong spec": (body(header=HEADER | {"spec": {"kind": "train", "stepz": 3}}), 1, "/spec"),
    "half a line": (WHOLE + '{"type": "ended"', 10, ""),
    "no event": (body(started(), {"type": "exec"}), 3, ""),
    "a field more": (body(started(), step(1, command="rm")), 3, "/command"),
    "a step before any attempt": (body(step(1)), 2, "/type"),
    "a step again": (body(started(), step(1), step(1)), 4, "/step"),
    "steps out of order": (body(started(), step(2), step(1)), 4, "/step"),
    "a huge step": (body(started(), step(2**70)), 3, "/step"),
    "a huge number": (body(started(total_steps=10**30)), 2, "/total_steps"),
    "a key that is none": (body(started(), step(1, metrics={"a\u0000b": 1})), 3, "/metrics"),
    "a long key": (body(started(), step(1, metrics={"k" * 121: 1})), 3, "/metrics"),
    "a NUL": (body(started(), {"type": "message", "ts": TS, "level": "info", "text": "\0"}), 3, "/text"),
    "a path": (
        body(started(), {"type": "checkpoint", "ts": TS, "step": 1, "path": "../..", "bytes": 1, "sha256": "a"}),
        3, "/path",
    ),
    "a score that is no number": (body(started(), SCORE | {"score": "NaN"}), 3, "/score"),
    "a time without offset": (body(started(), step(1, ts="2026-01-01T00:00:00")), 3, "/ts"),
    "a line without end": (body(started()) + '"' + "x" * (1 << 20) + '"\n', 3, ""),
}  # fmt: skip


@pytest.mark.parametrize("case", HOSTILE)
def test_a_wrong_line_is_named_and_nothing_is_left(client, engine, settings, case):
    text, line, field = HOSTILE[case]
    answer = client.post(URL, content=text, headers={"Idempotency-Key": "k"})
    assert (answer.status_code, answer.json()["code"]) == (422, "import_invalid")
    assert f"Line {line}:" in answer.json()["detail"]
    assert answer.json()["errors"][0]["pointer"].startswith(f"/{line}{field}")
    assert set(rows(engine).values()) == {0}
    assert not any((settings.home / "runs").iterdir())
    assert not any((settings.home / "imports").iterdir())
    assert client.post(URL, content=WHOLE, headers={"Idempotency-Key": "k"}).status_code == 201


def test_a_body_may_be_larger_than_others_but_not_than_the_setting(make_settings, engine):
    from fastapi.testclient import TestClient  # noqa: PLC0415

    from api.main import create_app  # noqa: PLC0415

    settings = make_settings(max_import_bytes=3 << 20)
    with TestClient(create_app(settings)) as client:
        client.headers["Authorization"] = f"Bearer {(settings.home / 'admin-key').read_text().strip()}"
        many = [step(number, metrics={f"key/{i}": 0.5 for i in range(50)}) for number in range(1, 3000)]
        text = body(started(), *many)
        assert 2 << 20 < len(text) < 3 << 20
        assert client.post(URL, content=text).json()["step"] == 2999
        too_much = client.post(URL, content=text + text)
        assert (too_much.status_code, too_much.json()["code"]) == (413, "too_large")
        chunked = client.post(URL, content=iter([b"{}"]))
        assert chunked.status_code == 413


def test_a_reader_may_not_import(client, stranger):
    assert stranger.post(URL, content=WHOLE).status_code == 401
    key = client.post("/api/v1/api-keys", json={"name": "reader", "scopes": ["read"]}).json()["key"]
    assert stranger.post(URL, content=WHOLE, headers={"Authorization": f"Bearer {key}"}).status_code == 403


def test_one_that_is_not_yet_whole_is_seen_by_nobody_and_goes_with_the_deleted(client, engine, settings, monkeypatch):
    seen = {}

    def dies(*_args):
        with reading(engine) as session:
            seen["run"] = session.scalar(select(RunRow))
        seen["listed"] = client.get("/api/v1/runs").json()["data"]
        seen["undeleted"] = client.post(f"/api/v1/runs/{seen['run'].id}/undelete").status_code
        raise KeyError("as if the process had died")

    monkeypatch.setattr("runs.foreign.imports.ingest", dies)
    with pytest.raises(KeyError):
        client.post(URL, content=WHOLE)
    assert (seen["listed"], seen["undeleted"]) == ([], 409)
    assert seen["run"].deleted_at is not None
    assert seen["run"].lease_expires_at is None
    assert set(rows(engine).values()) == {0}
