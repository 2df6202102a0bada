"""The client against a small real HTTP server that breaks in the ways that networks break."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from client import Client, connection
from client.errors import ApiError, Unreachable

Answer = tuple[int, str, str] | None
RUN = {
    "id": "run_1", "kind": "train", "name": "chains", "method": "trapo", "tags": [], "state": "queued",
    "desired": "run", "reason": None, "advice": None, "message": "", "step": 0, "total_steps": 2, "progress": None,
    "summary": {}, "attempts": 0, "created_at": "2026-01-01T00:00:00Z", "started_at": None, "ended_at": None,
    "spec": {}, "a_field_of_tomorrow": 1,
}  # fmt: skip


class Service:
    """Answers requests with what `answer` returns; None breaks the connection."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str, dict[str, str], Any]] = []
        self.retry_after = ""
        self.answer: Callable[..., Answer] = lambda *_: (200, "application/json", json.dumps(RUN))
        service = self

        class Handler(BaseHTTPRequestHandler):
            def handle_any(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                headers = {name.lower(): value for name, value in self.headers.items()}
                service.requests.append((self.command, self.path, headers, json.loads(body) if body else None))
                answer = service.answer(self.command, self.path)
                if answer is not None:
                    status, media, text = answer
                    self.send_response(status)
                    self.send_header("Content-Type", media)
                    if status in (429, 503) and service.retry_after:
                        self.send_header("Retry-After", service.retry_after)
                    self.end_headers()
                    self.wfile.write(text.encode())

            do_GET = do_POST = handle_any

            def log_message(self, *_: object) -> None:
                """Quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    monkeypatch.setattr(connection, "SECOND", 0.01)
    one = Service()
    thread = threading.Thread(target=one.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield one
    one.server.shutdown()
    one.server.server_close()
    thread.join()


@pytest.fixture
def client(service: Service) -> Iterator[Client]:
    with Client(service.url, "trapo_key_secret") as one:
        yield one


def event(seq: int, kind: str, run_id: str = "run_1", **data: Any) -> dict[str, Any]:
    return {"seq": seq, "run_id": run_id, "ts": "2026-01-01T00:00:00Z", "type": kind, "data": data}


def sse(*events: dict[str, Any]) -> str:
    return "".join(f"id: {one['seq']}\nevent: {one['type']}\ndata: {json.dumps(one)}\n\n" for one in events)


def test_a_submission_carries_key_and_spec(client: Client, service: Service) -> None:
    assert client.submit({"seed": 1}, idempotency_key="once").id == "run_1"
    method, path, headers, body = service.requests[0]
    assert (method, path, body) == ("POST", "/api/v1/runs", {"seed": 1})
    assert headers["authorization"] == "Bearer trapo_key_secret"
    assert headers["idempotency-key"] == "once"


def test_a_lost_answer_is_asked_for_again_under_the_same_key(client: Client, service: Service) -> None:
    service.answer = lambda *_: None if len(service.requests) < 3 else (201, "application/json", json.dumps(RUN))
    assert client.submit({}).id == "run_1"
    assert len({headers["idempotency-key"] for _, _, headers, _ in service.requests}) == 1
    assert len(service.requests) == 3


def test_what_may_not_come_twice_is_not_sent_twice(client: Client, service: Service) -> None:
    service.answer = lambda *_: None
    with pytest.raises(Unreachable):
        client.make_key("alice")
    assert len(service.requests) == 1


def test_a_problem_names_fields_and_remedies(client: Client, service: Service) -> None:
    problem = {
        "type": "x", "title": "Wrong spec", "status": 422, "detail": "1 field is wrong.", "code": "spec_invalid",
        "errors": [{"pointer": "/steps", "message": "is missing.", "hint": "Every spec needs it."}],
    }  # fmt: skip
    service.answer = lambda *_: (422, "application/problem+json", json.dumps(problem))
    with pytest.raises(ApiError) as caught:
        client.submit({})
    assert (caught.value.status, caught.value.code) == (422, "spec_invalid")
    assert str(caught.value) == "422 spec_invalid: 1 field is wrong.\n/steps: is missing. Every spec needs it."


def test_an_error_of_a_proxy_is_an_api_error_too(client: Client, service: Service) -> None:
    service.answer = lambda *_: (502, "text/html", "<h1>Bad gateway</h1>")
    with pytest.raises(ApiError, match="502 http_error: Bad Gateway"):
        client.get("run_1")


def test_a_service_that_was_never_there_is_told_within_two_seconds_and_how_to_start_it() -> None:
    began = time.monotonic()
    with Client("http://127.0.0.1:9", "key") as nobody, pytest.raises(Unreachable, match="trapo up"):
        nobody.get("run_1")
    assert time.monotonic() - began < 2


def test_a_service_that_has_answered_is_waited_for_while_it_starts_again(client: Client, service: Service) -> None:
    client.get("run_1")
    host, port = service.server.server_address[:2]
    service.server.shutdown()
    service.server.server_close()

    def start_again() -> None:
        time.sleep(2)  # longer than one waits for a service that never was there
        service.server = ThreadingHTTPServer((str(host), int(port)), service.server.RequestHandlerClass)
        service.server.serve_forever(poll_interval=0.01)

    threading.Thread(target=start_again).start()
    assert client.get("run_1").id == "run_1"


def test_a_service_that_stays_away_is_given_up(
    client: Client, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "RESTART_S", 0.3)
    client.get("run_1")
    service.answer = lambda *_: None
    with pytest.raises(Unreachable, match="stopped answering"):
        client.get("run_1")
    assert 2 < len(service.requests) < 6


@pytest.mark.parametrize("status", [429, 503])
def test_a_service_that_says_when_to_come_again_is_asked_then(client: Client, service: Service, status: int) -> None:
    service.retry_after = "1"
    busy = (status, "application/problem+json", "{}")
    service.answer = lambda *_: busy if len(service.requests) == 1 else (200, "application/json", json.dumps(RUN))
    began = time.monotonic()
    assert client.get("run_1").id == "run_1"
    assert time.monotonic() - began >= 1
    assert len(service.requests) == 2


@pytest.mark.parametrize("retry_after", ["", "60"])
def test_a_wait_that_is_not_told_or_too_long_is_the_callers(client: Client, service: Service, retry_after: str) -> None:
    service.retry_after = retry_after
    service.answer = lambda *_: (503, "application/problem+json", '{"code": "database_away"}')
    with pytest.raises(ApiError, match="503 database_away"):
        client.get("run_1")
    assert len(service.requests) == 1


def test_what_may_have_been_done_before_a_503_is_not_asked_for_again(client: Client, service: Service) -> None:
    service.retry_after = "1"
    service.answer = lambda *_: (503, "application/problem+json", '{"code": "database_away"}')
    with pytest.raises(ApiError, match="503"):
        client.retry("run_1")
    assert len(service.requests) == 1


def test_what_is_being_made_ready_is_waited_for_longer_than_a_restart(
    client: Client, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "RESTART_S", 0.5)
    service.retry_after = "1"
    not_yet = (503, "application/problem+json", '{"code": "not_yet"}')
    service.answer = lambda *_: not_yet if len(service.requests) < 3 else (200, "text/plain", "ready")

    def fetch() -> str:
        with client.opened("/file") as answer:
            return answer.read().decode()

    assert client.patiently(fetch) == "ready"
    assert len(service.requests) == 3


def test_pages_are_read_until_there_are_enough(client: Client, service: Service) -> None:
    def answer(method: str, path: str) -> Answer:
        cursor = int(parse_qs(urlsplit(path).query).get("cursor", ["0"])[0])
        page = {"data": [{**RUN, "id": f"run_{cursor + i}"} for i in range(2)], "next_cursor": str(cursor + 2)}
        return 200, "application/json", json.dumps(page)

    service.answer = answer
    assert [run.id for run in client.runs(limit=3, state="running")] == ["run_0", "run_1", "run_2"]
    assert "state=running" in service.requests[0][1]


def test_a_stream_goes_on_where_it_broke(client: Client, service: Service) -> None:
    answers: list[Answer] = [
        (200, "text/event-stream", sse(event(4, "step"), event(5, "step")) + "id: 6\nevent: step\nda"),
        None,
        (503, "text/plain", "starting"),
        (200, "text/event-stream", sse(event(6, "step"))),
    ]
    service.answer = lambda *_: answers[len(service.requests) - 1]
    stream = client.stream(["run_1"], after=3)
    assert [next(stream).seq for _ in range(3)] == [4, 5, 6]
    assert [headers["last-event-id"] for _, _, headers, _ in service.requests] == ["3", "5", "5", "5"]


def test_a_stream_that_is_refused_is_not_tried_again(client: Client, service: Service) -> None:
    service.answer = lambda *_: (
        401,
        "application/problem+json",
        '{"code": "unauthenticated", "detail": "No such key."}',
    )
    with pytest.raises(ApiError, match="No such key"):
        next(client.stream())
    assert len(service.requests) == 1


def test_following_reads_the_past_then_the_present_and_ends_with_the_run(client: Client, service: Service) -> None:
    past = [event(1, "run_state", state="paused"), event(2, "run_state", state="running"), event(3, "step", step=1)]
    live = [
        event(3, "step", step=1),
        event(4, "step", step=2),
        event(5, "run_state", state="succeeded"),
        event(6, "step"),
    ]

    def answer(method: str, path: str) -> Answer:
        url = urlsplit(path)
        if url.path.endswith("/stream"):
            return 200, "text/event-stream", sse(*live)
        after = int(parse_qs(url.query)["after"][0])
        return (
            200,
            "application/json",
            json.dumps({"data": [one for one in past if one["seq"] > after][:2], "next_cursor": None}),
        )

    service.answer = answer
    assert [found.seq for found in client.follow(["run_1"])] == [1, 2, 3, 4, 5]


def test_following_an_ended_run_needs_no_stream(client: Client, service: Service) -> None:
    def answer(method: str, path: str) -> Answer:
        first = "after=0" in path
        return 200, "application/json", json.dumps({"data": [event(1, "run_state", state="failed")] if first else []})

    service.answer = answer
    assert [found.seq for found in client.follow(["run_1"])] == [1]
    assert not any("/stream" in path for _, path, _, _ in service.requests)
