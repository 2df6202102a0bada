"""What is answered before any route is asked: Host, headers, rates, sizes."""

import pytest
from fastapi.testclient import TestClient

from api.guards import devious
from api.main import create_app
from api.throttle import REMEMBERED, Throttle


@pytest.mark.parametrize("host", ["rebound.example", "127.0.0.1.evil.example", "testserver@evil.example", "[", ""])
def test_an_unknown_host_is_refused_everywhere(client, host):
    for path in ("/api/v1/runs", "/healthz", "/"):
        answer = client.get(path, headers={"Host": host})
        assert (answer.status_code, answer.json()["code"]) == (400, "unknown_host")


def test_a_known_host_is_answered_on_any_port_and_by_ipv6(engine, make_settings):
    with TestClient(create_app(make_settings(allowed_hosts=["localhost", "[::1]"]))) as client:
        for host in ("localhost", "LOCALHOST:8000", "[::1]", "[::1]:8000"):
            assert client.get("/healthz", headers={"Host": host}).status_code == 200


def test_every_answer_carries_the_security_headers(client, stranger):
    refused = client.get("/api/v1/runs", headers={"Host": "rebound.example"})
    for answer in (
        client.get("/api/v1/runs"),
        stranger.get("/api/v1/runs"),
        client.get("/no"),
        client.get("/"),
        refused,
    ):
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'")
        assert "unsafe" not in policy
        assert "http" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "DENY"
    assert client.get("/api/v1/runs").headers["cache-control"] == "no-store"


def test_the_documentation_needs_no_script_and_nobody_elses_server(stranger):
    text = stranger.get("/docs").text
    assert "/api/v1/runs/{run_id}" in text
    assert "<script" not in text
    assert "cdn" not in text


def test_too_many_logins_are_told_when_to_come_back(engine, make_settings):
    with TestClient(create_app(make_settings(logins_per_minute=3))) as client:
        answers = [client.post("/api/v1/sessions", json={"api_key": "guess"}) for _ in range(4)]
        assert [answer.status_code for answer in answers] == [401, 401, 401, 429]
        assert 1 <= int(answers[-1].headers["retry-after"]) <= 20
        assert answers[-1].json()["code"] == "too_many_requests"
        assert client.get("/api/v1/session").status_code == 401, "other requests go on"


def test_too_many_requests_are_told_when_to_come_back_but_health_is_answered(engine, make_settings):
    with TestClient(create_app(make_settings(requests_per_s=0.5))) as client:
        assert client.get("/api/v1/runs").status_code == 401
        answer = client.get("/api/v1/runs")
        assert (answer.status_code, answer.headers["retry-after"]) == (429, "2")
        assert client.get("/healthz").status_code == 200


def test_a_body_that_is_too_large_or_of_unknown_size_is_refused_unread(client):
    answers = [
        client.post("/api/v1/runs", content=b" " * (1 << 20 | 1)),
        client.post("/api/v1/runs", content=iter([b"{}"])),
        client.post("/api/v1/runs", content=b"{}", headers={"Content-Length": "-1"}),
    ]
    assert [answer.status_code for answer in answers] == [413, 413, 413]


def test_a_bucket_fills_again_with_time_and_each_caller_has_one():
    at = [0.0]
    throttle = Throttle(per_s=2, burst=2, clock=lambda: at[0])
    assert [throttle.wait_s("a") for _ in range(3)] == [0, 0, 0.5]
    assert throttle.wait_s("b") == 0
    at[0] = 0.5
    assert throttle.wait_s("a") == 0
    at[0] = 100
    assert [throttle.wait_s("a") for _ in range(3)] == [0, 0, 0.5], "no more than the burst is saved up"


def test_the_buckets_are_bounded():
    throttle = Throttle(per_s=1, burst=1)
    for caller in range(REMEMBERED + 5):
        throttle.wait_s(str(caller))
    assert len(throttle._buckets) == REMEMBERED


def test_a_path_that_no_name_here_has_is_known():
    assert all(map(devious, ("/a/../b", "/a%2fb", "/a\\b", "/a\0", "/..")))
    assert not any(map(devious, ("/api/v1/series:query", "/runs/run_1..2", "/assets/index-a.b.js")))
