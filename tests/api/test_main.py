"""Errors, health, the dashboard's files, the committed OpenAPI, and no torch."""

import gc
import json
import subprocess
import sys
import weakref

import pytest
from fastapi.testclient import TestClient

from api.main import create_app
from api.openapi import COMMITTED, render


def test_every_refusal_is_a_problem(client, spec):
    cases = [
        (client.get("/api/v1/nowhere"), 404, "not_found"),
        (client.put("/api/v1/runs"), 405, "method_not_allowed"),
        (client.get("/api/v1/series:query"), 405, "method_not_allowed"),
        (client.post("/api/v1/runs", content=b"{"), 422, "request_invalid"),
        (client.post("/api/v1/runs", json=[1]), 422, "request_invalid"),
        (client.get("/api/v1/runs?limit=1000"), 422, "request_invalid"),
        (client.post("/api/v1/runs", content=b"x" * (1 << 20 | 1)), 413, "too_large"),
    ]
    for answer, status, code in cases:
        problem = answer.json()
        assert answer.headers["content-type"] == "application/problem+json"
        assert (answer.status_code, problem["status"], problem["code"]) == (status, status, code)
        assert problem["detail"]
    assert cases[5][0].json()["errors"][0]["pointer"] == "/query/limit"


def test_a_method_that_is_not_there_is_answered_with_those_that_are(client):
    assert client.put("/api/v1/runs").headers["allow"] == "GET, POST"
    assert client.options("/api/v1/sessions").headers["allow"] == "DELETE, POST"


def test_a_wrong_query_names_the_field_by_pointer(client):
    answer = client.post("/api/v1/series:query", json={"run_ids": [], "keys": ["a"], "colour": "red"})
    assert {error["pointer"] for error in answer.json()["errors"]} == {"/run_ids", "/colour"}


@pytest.mark.parametrize("media", ["application/x-www-form-urlencoded", "text/plain", None])
def test_json_that_is_not_sent_as_json_is_told_what_to_send(client, media):
    headers = {"Content-Type": media} if media else {}
    for path in ("/api/v1/runs", "/api/v1/api-keys"):
        answer = client.post(path, content=b'{"name": "alice"}', headers=headers)
        assert answer.json()["errors"][0]["hint"] == "Send Content-Type: application/json."


def test_health_needs_nobody(stranger):
    assert stranger.get("/healthz").json() == {"status": "ok"}
    assert stranger.get("/readyz").status_code == 200


def test_a_database_that_is_away_is_said_to_be_away(client, settings):
    database = settings.home / "trapo.db"
    client.app.state.engine.dispose()
    database.rename(database.with_suffix(".hidden"))
    database.mkdir()
    answer = client.get("/api/v1/runs")
    assert (answer.status_code, answer.json()["code"]) == (503, "database_away")
    assert client.get("/readyz").status_code == 503
    assert client.get("/healthz").status_code == 200


def test_a_request_that_gets_no_connection_is_told_when_to_come_again(client, monkeypatch):
    pool = client.app.state.engine.pool
    monkeypatch.setattr(pool, "_max_overflow", 0)
    monkeypatch.setattr(pool, "_timeout", 0.05)
    held = [client.app.state.engine.connect() for _ in range(pool.size())]
    answer = client.get("/api/v1/runs")
    assert (answer.status_code, answer.json()["code"], answer.headers["retry-after"]) == (503, "database_away", "2")
    for connection in held:
        connection.close()


def test_without_a_built_dashboard_a_page_says_how_to_build_it(stranger):
    answer = stranger.get("/")
    assert answer.status_code == 200
    assert "make frontend" in answer.text


@pytest.fixture
def dashboard(settings, engine):
    settings.frontend_dir.mkdir()
    (settings.frontend_dir / "index.html").write_text("<p>dashboard</p>")
    (settings.frontend_dir / "app.js").write_text("1")
    with TestClient(create_app(settings)) as client:
        yield client


def test_a_page_of_the_dashboard_is_its_index_and_a_file_is_itself(dashboard):
    page = {"Accept": "text/html"}
    assert dashboard.get("/runs/run_1", headers=page).text == "<p>dashboard</p>"
    assert dashboard.get("/", headers=page).text == "<p>dashboard</p>"
    assert dashboard.get("/app.js").text == "1"
    assert dashboard.get("/api/v1/nowhere").status_code == 404
    assert dashboard.get("/%2e%2e/trapo.db").status_code == 404
    assert dashboard.get("/..%2f..%2fhome/admin-key").status_code == 404


def test_an_app_that_is_over_leaves_nothing_behind(settings, engine):
    """Hundreds of them in one process, as here, would make each garbage collection longer: it came to seconds."""
    app = create_app(settings)
    with TestClient(app) as client:
        for path in ("/health", "/docs", "/api/v1/openapi.json", "/api/v1/runs"):
            client.get(path)
    left = weakref.ref(app)
    del app, client
    gc.collect()
    assert left() is None


def test_the_committed_openapi_is_current():
    assert COMMITTED.read_text() == render(), "python -m api.openapi > api/openapi.json"


def test_every_route_has_a_name_of_its_own_for_generated_clients():
    ids = [
        operation["operationId"]
        for path, methods in json.loads(COMMITTED.read_text())["paths"].items()
        for operation in methods.values()
        if path.startswith("/api/")
    ]
    assert len(ids) == len(set(ids))


def test_the_api_never_loads_torch():
    heavy = "any(name in sys.modules for name in ('torch', 'transformers'))"
    program = f"import api.main, runs.record.ingest, worker.app, sys; sys.exit({heavy})"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
