"""Who may do what, from where."""

import pytest
from fastapi.routing import iter_route_contexts
from fastapi.testclient import TestClient
from sqlalchemy import select

from api.main import create_app
from runs.access import keys
from runs.db import reading, writing
from runs.tables import AuditRow, Base

# Everything else needs a caller. The dashboard's files are public; what they show is not.
OPEN = {
    ("GET", "/healthz"), ("GET", "/readyz"), ("GET", "/openapi.json"), ("GET", "/api/v1/openapi.json"),
    ("GET", "/docs"), ("GET", "/"), ("POST", "/api/v1/sessions"),
}  # fmt: skip
ANY_CALLER = {("GET", "/api/v1/session"), ("DELETE", "/api/v1/sessions")}
ADMINS = ("/api/v1/api-keys", "/api/v1/audit", "/api/v1/webhooks", "/api/v1/gc")
NAMES = {"run_id": "run_1", "key_id": "0" * 12, "webhook_id": "whk_" + "0" * 26}
ENDLESS = {"/api/v1/stream"}
ORIGIN = {"Origin": "http://testserver"}


def routes(app):
    """(method, path template) of the whole route table."""
    return sorted(
        {(method, found.path) for found in iter_route_contexts(app.routes) for method in found.methods - {"HEAD"}}
    )


def path_of(template, names=NAMES):
    path = template
    for part in [part for part in template.split("/") if part.startswith("{")]:
        path = path.replace(part, names.get(part.strip("{}"), "1"))
    return path


def scope_of(method, template):
    """What a route needs, written down a second time."""
    if template.startswith(ADMINS):
        return "admin"
    return "read" if method == "GET" or template.endswith(":query") else "submit"


@pytest.fixture
def key_with(client, engine):
    def make(*scopes):
        with writing(engine) as session:
            key = keys.make_key(session, f"only-{'-'.join(scopes)}", list(scopes))
        return TestClient(client.app, headers={"Authorization": f"Bearer {key}"})

    return make


def login(client, browser):
    url = client.post("/api/v1/login-links").json()["url"]
    return browser.post("/api/v1/sessions", json={"token": url.partition("#token=")[2]}, headers=ORIGIN)


def test_every_route_but_the_open_ones_wants_a_caller(client, stranger):
    table = routes(client.app)
    assert set(table) >= OPEN, "an open route that is gone"
    for method, template in table:
        answer = stranger.request(method, path_of(template), json={} if method != "GET" else None)
        if (method, template) in OPEN:
            assert answer.status_code != 401 or template == "/api/v1/sessions", template
        else:
            assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated"), (method, template)


def test_every_route_wants_its_scope(client, key_with):
    callers = {scope: key_with(scope) for scope in keys.ALL_SCOPES}
    for method, template in routes(client.app):
        if (method, template) in OPEN | ANY_CALLER:
            continue
        needed = scope_of(method, template)
        for scope, caller in callers.items():
            if template in ENDLESS and scope == needed:
                continue
            answer = caller.request(method, path_of(template), json={} if method != "GET" else None)
            assert (answer.status_code == 403) == (scope != needed), (method, template, scope, answer.text)
            assert answer.status_code < 500


def test_a_key_without_scopes_may_only_ask_who_it_is(client, key_with):
    nobody = key_with()
    assert nobody.get("/api/v1/session").json()["scopes"] == []
    assert nobody.get("/api/v1/runs").status_code == 403


def contents(engine):
    with reading(engine) as session:
        return {
            table.name: sorted(map(repr, session.execute(select(table)).all())) for table in Base.metadata.sorted_tables
        }


def test_every_get_is_safe(client, engine, run_id):
    """No GET changes a row: over the table of routes, on a database that has something in every room."""
    made = client.post("/api/v1/api-keys", json={"name": "alice"}).json()
    hook = client.post("/api/v1/webhooks", json={"url": "https://hooks.example.org/"}).json()
    assert client.post(f"/api/v1/runs/{run_id}/cancel").status_code == 200
    before = contents(engine)
    assert all(before[name] for name in ("runs", "events", "api_keys", "audit", "webhooks", "deliveries"))
    names = {"run_id": run_id, "key_id": made["id"], "webhook_id": hook["id"]}
    for method, template in routes(client.app):
        if method == "GET" and template not in ENDLESS:
            for verb in ("GET", "HEAD"):
                assert client.request(verb, path_of(template, names)).status_code < 500
            assert contents(engine) == before, template


def test_a_login_link_opens_a_session_once(client, stranger):
    assert client.get("/api/v1/session").json()["principal"] == "admin"
    opened = login(client, stranger)
    assert opened.status_code == 200
    cookie = opened.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert "Secure" not in cookie, "over plain http on this machine it would not come back"
    assert stranger.get("/api/v1/session").json()["expires_at"] is not None
    assert stranger.delete("/api/v1/sessions", headers=ORIGIN).status_code == 204
    assert stranger.get("/api/v1/session").status_code == 401


def test_an_api_key_opens_a_session_too_and_both_or_none_do_not(client, stranger):
    key = client.headers["Authorization"].removeprefix("Bearer ")
    for body in ({}, {"token": "x", "api_key": key}):
        assert stranger.post("/api/v1/sessions", json=body).status_code == 401
    assert stranger.post("/api/v1/sessions", json={"api_key": key}).status_code == 200


def test_behind_tls_the_cookie_and_the_origin_are_of_https(engine, make_settings):
    settings = make_settings(public_url="https://testserver")
    with TestClient(create_app(settings), base_url="https://testserver") as client:
        key = (settings.home / "admin-key").read_text().strip()
        answer = client.post("/api/v1/sessions", json={"api_key": key})
        assert "Secure" in answer.headers["set-cookie"]
        assert "max-age" in answer.headers["strict-transport-security"]
        for origin, status in (("http://testserver", 403), ("https://testserver", 200)):
            assert client.post("/api/v1/login-links", headers={"Origin": origin}).status_code == status


@pytest.mark.parametrize("origin", [None, "http://evil.example", "null", "http://testserver.evil.example"])
def test_a_browser_session_is_useless_to_other_pages(client, stranger, spec, origin):
    login(client, stranger)
    # A browser behind a proxy sends Basic by itself: it proves nothing about the page.
    for more in ({}, {"Authorization": "Basic dXNlcjpwYXNz"}, {"Authorization": "Bearer "}):
        headers = more | ({} if origin is None else {"Origin": origin})
        answer = stranger.post("/api/v1/runs", json=spec, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    assert stranger.post("/api/v1/runs", json=spec, headers=ORIGIN).status_code == 201


def test_another_page_cannot_log_a_browser_in(client, stranger):
    key = client.headers["Authorization"].removeprefix("Bearer ")
    answer = stranger.post("/api/v1/sessions", json={"api_key": key}, headers={"Origin": "http://evil.example"})
    assert answer.status_code == 403


def test_the_app_does_not_start_on_a_database_without_tables(make_settings):
    with pytest.raises(RuntimeError, match=r"python -m runs\.migrate"), TestClient(create_app(make_settings())):
        pass


def test_what_strangers_try_writes_nothing(client, stranger, engine, run_id):
    with reading(engine) as session:
        before = len(session.scalars(select(AuditRow)).all())
    assert stranger.post(f"/api/v1/runs/{run_id}/cancel").status_code == 401
    with reading(engine) as session:
        assert len(session.scalars(select(AuditRow)).all()) == before
