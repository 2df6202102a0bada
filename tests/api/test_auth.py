"""Who may do what, from where."""

import pytest
from fastapi.testclient import TestClient

from api.main import create_app
from runs import keys
from runs.db import writing

OPEN = {"/healthz", "/readyz", "/openapi.json", "/docs", "/docs/oauth2-redirect", "/", "/api/v1/openapi.json"}
ORIGIN = {"Origin": "http://testserver"}


def login(client, browser):
    url = client.post("/api/v1/login-links").json()["url"]
    return browser.post("/api/v1/sessions", json={"token": url.partition("#token=")[2]}, headers=ORIGIN)


def test_every_route_but_the_open_ones_wants_a_caller(client, stranger):
    for path, methods in client.app.openapi()["paths"].items():
        for method in methods:
            if path in OPEN or (path, method) == ("/api/v1/sessions", "post"):
                continue
            answer = stranger.request(method, path.replace("{run_id}", "run_1"), json={})
            assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated"), (method, path)


def test_reading_changes_nothing(client, engine):
    """By the table of routes: whatever writes is not a GET."""
    for methods in client.app.openapi()["paths"].values():
        if "get" in methods:
            assert methods["get"]["operationId"].split("_")[0] in {"get", "list", "read", "stream", "healthz", "readyz"}


def test_a_key_that_may_only_read_cannot_write(client, engine, spec, run_id):
    with writing(engine) as session:
        key = keys.make_key(session, "reader", ["read"])
    reader = TestClient(client.app, headers={"Authorization": f"Bearer {key}"})
    assert reader.get("/api/v1/runs").status_code == 200
    for path in ("/api/v1/runs", f"/api/v1/runs/{run_id}/cancel", "/api/v1/login-links"):
        assert reader.post(path, json=spec).status_code == 403


def test_a_login_link_opens_a_session_once(client, stranger):
    assert client.get("/api/v1/session").json()["principal"] == "admin"
    opened = login(client, stranger)
    assert opened.status_code == 200
    cookie = opened.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert stranger.get("/api/v1/session").json()["expires_at"] is not None
    assert stranger.delete("/api/v1/sessions", headers=ORIGIN).status_code == 204
    assert stranger.get("/api/v1/session").status_code == 401


def test_an_api_key_opens_a_session_too_and_both_or_none_do_not(client, stranger):
    key = client.headers["Authorization"].removeprefix("Bearer ")
    for body in ({}, {"token": "x", "api_key": key}):
        assert stranger.post("/api/v1/sessions", json=body).status_code == 401
    assert stranger.post("/api/v1/sessions", json={"api_key": key}).status_code == 200


@pytest.mark.parametrize("origin", [None, "http://evil.example", "null", "http://testserver.evil.example"])
def test_a_browser_session_is_useless_to_other_pages(client, stranger, spec, origin):
    login(client, stranger)
    # A browser behind a proxy sends Basic by itself: it proves nothing about the page.
    for more in ({}, {"Authorization": "Basic dXNlcjpwYXNz"}, {"Authorization": "Bearer "}):
        headers = more | ({} if origin is None else {"Origin": origin})
        answer = stranger.post("/api/v1/runs", json=spec, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    assert stranger.post("/api/v1/runs", json=spec, headers=ORIGIN).status_code == 201


def test_an_unknown_host_is_refused(client):
    assert client.get("/api/v1/runs", headers={"Host": "rebound.example"}).status_code == 400


def test_every_answer_carries_the_security_headers(client, stranger):
    for answer in (client.get("/api/v1/runs"), stranger.get("/api/v1/runs"), client.get("/nowhere")):
        assert answer.headers["content-security-policy"].startswith("default-src 'self'")
        assert answer.headers["x-content-type-options"] == "nosniff"


def test_the_app_does_not_start_on_a_database_without_tables(make_settings):
    with pytest.raises(RuntimeError, match=r"python -m runs\.migrate"), TestClient(create_app(make_settings())):
        pass
