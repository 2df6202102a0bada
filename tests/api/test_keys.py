"""API keys and the audit log over REST."""

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from runs.db import reading
from runs.tables import AuditRow


def as_caller(client, key):
    return TestClient(client.app, headers={"Authorization": f"Bearer {key}"})


@pytest.fixture
def alice(client):
    """(her key as it was shown, a client with it)"""
    made = client.post("/api/v1/api-keys", json={"name": "alice", "expires_in_days": 1})
    assert made.status_code == 201
    return made.json(), as_caller(client, made.json()["key"])


def audit(client, **query):
    return client.get("/api/v1/audit", params=query).json()["data"]


def test_a_key_is_shown_once_and_listed_without_its_secret(client, alice):
    made, caller = alice
    assert made["scopes"] == ["read", "submit"]
    assert caller.get("/api/v1/session").json()["principal"] == "alice"
    listed = client.get("/api/v1/api-keys").text
    assert made["id"] in listed
    assert made["key"].split("_", 2)[2] not in listed
    found = next(key for key in client.get("/api/v1/api-keys").json()["data"] if key["name"] == "alice")
    assert (found["created_by"], found["last_used_at"]) == ("admin", None)
    assert found["expires_at"] is not None


def test_the_last_use_shows_once_it_is_written_down(client, alice):
    alice[1].get("/api/v1/runs")
    client.app.state.key_use.flush()
    assert all(key["last_used_at"] for key in client.get("/api/v1/api-keys").json()["data"])


def test_a_rotated_key_works_beside_the_old_one_and_a_deleted_one_not_at_all(client, alice):
    made, caller = alice
    rotated = client.post(f"/api/v1/api-keys/{made['id']}/rotate", json={}).json()
    fresh = as_caller(client, rotated["key"])
    assert rotated["previous_expires_at"] is not None
    assert [each.get("/api/v1/runs").status_code for each in (caller, fresh)] == [200, 200]
    client.post(f"/api/v1/api-keys/{made['id']}/rotate", json={"overlap_s": 0})
    assert [each.get("/api/v1/runs").status_code for each in (caller, fresh)] == [401, 401]
    assert client.delete(f"/api/v1/api-keys/{made['id']}").status_code == 204
    assert client.delete(f"/api/v1/api-keys/{made['id']}").status_code == 404


@pytest.mark.parametrize(
    "body", [{"name": ""}, {"name": "a b"}, {"name": "a", "scopes": []}, {"name": "a", "scopes": ["root"]}]
)
def test_a_key_that_makes_no_sense_is_refused(client, body):
    assert client.post("/api/v1/api-keys", json=body).status_code == 422


def test_a_name_is_given_once(client, alice):
    assert client.post("/api/v1/api-keys", json={"name": "alice"}).status_code == 409


def test_pages_of_keys_join_without_gap(client):
    for number in range(4):
        client.post("/api/v1/api-keys", json={"name": f"key{number}"})
    seen, cursor = [], None
    while cursor is not None or not seen:
        page = client.get("/api/v1/api-keys", params={"limit": 2} | ({"cursor": cursor} if cursor else {})).json()
        seen, cursor = [*seen, *(key["id"] for key in page["data"])], page["next_cursor"]
    assert len(seen) == len(set(seen)) == 5


def test_a_change_is_noted_with_who_what_and_where(client, alice, spec):
    run_id = alice[1].post("/api/v1/runs", json=spec).json()["id"]
    alice[1].post(f"/api/v1/runs/{run_id}/cancel")
    cancelled, submitted = audit(client, run_id=run_id)
    assert (submitted["method"], submitted["route"], submitted["outcome"]) == ("POST", "/api/v1/runs", "done")
    assert cancelled["route"] == "/api/v1/runs/{run_id}/cancel"
    assert {entry["principal"] for entry in (cancelled, submitted)} == {"alice"}
    assert cancelled["address"] == "testclient"


def test_a_refusal_is_noted_too(client, alice, run_id):
    alice[1].post("/api/v1/api-keys", json={"name": "mine"})
    client.post(f"/api/v1/runs/{run_id}/cancel")
    client.post(f"/api/v1/runs/{run_id}/resume")
    illegal = audit(client, run_id=run_id)[0]
    assert (illegal["outcome"], illegal["status"]) == ("refused", 409)
    (forbidden,) = audit(client, principal="alice")
    assert (forbidden["route"], forbidden["status"]) == ("/api/v1/api-keys", 403)


def test_logins_are_noted_the_failed_ones_without_a_name(client, stranger, alice):
    stranger.post("/api/v1/sessions", json={"api_key": "guess"})
    stranger.post("/api/v1/sessions", json={"api_key": alice[0]["key"]})
    came, failed = audit(client, limit=2)
    assert (came["principal"], came["outcome"]) == ("alice", "done")
    assert (failed["principal"], failed["status"]) == ("", 401)


def test_the_note_and_the_change_are_one_transaction(client, engine, spec):
    """What the database refuses to write down did not happen."""
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "CREATE TRIGGER no_note BEFORE INSERT ON audit WHEN NEW.outcome = 'done' "
            "BEGIN SELECT RAISE(ABORT, 'full'); END"
        )
    unruly = TestClient(client.app, headers=client.headers, raise_server_exceptions=False)
    assert unruly.post("/api/v1/runs", json=spec).status_code == 500
    assert client.get("/api/v1/runs").json()["data"] == []
    with reading(engine) as session:
        assert [row.outcome for row in session.scalars(select(AuditRow))] == ["failed"]


def test_reading_is_not_noted(client, run_id):
    before = audit(client)
    client.get("/api/v1/runs")
    client.post("/api/v1/series:query", json={"run_ids": [run_id], "keys": ["a"]})
    assert audit(client) == before


def test_pages_of_the_log_join_without_gap(client):
    for _ in range(5):
        client.post("/api/v1/login-links")
    first = client.get("/api/v1/audit?limit=3").json()
    second = client.get(f"/api/v1/audit?limit=3&cursor={first['next_cursor']}").json()
    ids = [entry["id"] for entry in first["data"] + second["data"]]
    assert ids == sorted(ids, reverse=True)
    assert len(ids) == 5
    assert second["next_cursor"] is None
