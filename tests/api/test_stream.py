"""Server-sent events from a real server: nothing missed, nothing twice."""

import asyncio
import json
import threading
import time

import httpx
import pytest
import uvicorn

from api import deps, stream
from api.main import create_app
from runs.access import keys
from runs.db import writing
from runs.life import store


@pytest.fixture
def base_url(settings, engine, until):
    server = uvicorn.Server(
        uvicorn.Config(create_app(settings), port=0, log_level="error", timeout_graceful_shutdown=1)
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    until(lambda: server.started, 10)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join(10)
    assert not thread.is_alive(), "open streams must not hold the server up"


@pytest.fixture
def headers(settings, base_url):
    return {"Authorization": f"Bearer {(settings.home / 'admin-key').read_text().strip()}"}


def follow(base_url, headers, wanted, on_open=None, **params):
    """The first `wanted` events of a stream, as (id, type, data)."""
    found = []
    url = f"{base_url}/api/v1/stream"
    with httpx.stream("GET", url, headers=headers, params=params, timeout=60) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        event = {}
        for line in answer.iter_lines():
            if line.startswith(":") and on_open:
                on_open()
                on_open = None
            if not line and "id" in event:
                found.append((int(event["id"]), event["event"], json.loads(event["data"])))
                event = {}
                if len(found) == wanted:
                    return found
            name, _, value = line.partition(": ")
            event[name] = value
    return found


def test_a_stream_from_the_session_on_tells_what_came_before_it_opened(base_url, headers, engine, make_run):
    make_run(engine, "before")
    newest = httpx.get(f"{base_url}/api/v1/session", headers=headers, timeout=60).json()["newest_seq"]
    made = make_run(engine, "meanwhile")
    ((_, type_, event),) = follow(base_url, headers, 1, after=newest)
    assert (type_, event["run_id"]) == ("run_created", made)


def test_a_stream_begins_now_and_brings_what_comes(base_url, headers, engine, make_run):
    make_run(engine, "before")
    ((_, type_, event),) = follow(base_url, headers, 1, on_open=lambda: make_run(engine, "after"))
    assert type_ == "run_created"
    assert event["data"]["name"] == "after"


def test_a_reader_that_returns_with_its_last_id_misses_nothing(base_url, headers, engine, make_run):
    for index in range(6):
        make_run(engine, str(index))
    first = follow(base_url, headers, 2, after=0)
    rest = follow(base_url, headers | {"Last-Event-ID": str(first[-1][0])}, 4)
    assert [event["data"]["name"] for _, _, event in first + rest] == ["0", "1", "2", "3", "4", "5"]
    assert all(id_ == event["seq"] for id_, _, event in first + rest)


def test_a_stream_of_some_runs_leaves_out_the_others(base_url, headers, engine, make_run):
    one, two, _ = make_run(engine), make_run(engine), make_run(engine)
    with writing(engine) as session:
        store.cancel(session, one)
    found = follow(base_url, headers, 3, run=[one, two], after=0)
    assert [event["run_id"] for _, _, event in found] == [one, two, one]


def test_more_news_than_one_reading_holds_arrives_whole(base_url, headers, engine, make_run):
    run_id = make_run(engine)
    with writing(engine) as session:
        session.add_all(store.EventRow(run_id=run_id, type="message", data={"n": n}) for n in range(1200))
    found = follow(base_url, headers, 1201, after=0)
    assert [event["data"].get("n") for _, _, event in found[1:]] == list(range(1200))


def test_news_arrives_within_a_second(base_url, headers, engine, make_run):
    said_at = []

    def say():
        said_at.append(time.monotonic())
        make_run(engine)

    follow(base_url, headers, 1, on_open=say)
    assert time.monotonic() - said_at[0] < 2


def test_a_reader_with_an_old_id_joins_the_others_without_a_gap(engine, make_run, monkeypatch):
    """From the database to memory, of which less is kept than came meanwhile."""
    monkeypatch.setattr(stream, "BATCH", 3)
    monkeypatch.setattr(stream, "KEPT", 6)
    run_id = make_run(engine)

    def say(numbers):
        with writing(engine) as session:
            session.add_all(store.EventRow(run_id=run_id, type="message", data={"n": n}) for n in numbers)

    async def listen():
        news = stream.News(engine)
        events = news.stream([run_id], 1)
        await anext(events)
        found = []
        for low, high in ((0, 4), (4, 9), (9, 30), (30, 31), (31, 36), (36, 40)):
            say(range(low, high))
            news._asked_at = -1
            while len(found) < high:
                lines = (await anext(events)).decode().splitlines()
                found += [json.loads(line[6:])["data"]["n"] for line in lines if line.startswith("data: ")]
        return found

    assert asyncio.run(asyncio.wait_for(listen(), 20)) == list(range(40))


def test_a_stream_ends_with_the_key_that_opened_it(base_url, headers, engine, make_run, monkeypatch):
    monkeypatch.setattr(deps, "RECHECK_S", 0.0)
    with writing(engine) as session:
        key = keys.make_key(session, "reader", ["read"])

    def revoke_and_tell():
        with writing(engine) as session:
            keys.delete_key(session, keys.key_id_of(key))
        make_run(engine, "secret")

    mine = {"Authorization": f"Bearer {key}"}
    assert len(follow(base_url, mine, 1, on_open=lambda: make_run(engine, "public"))) == 1, "as long as the key is good"
    assert follow(base_url, mine, 1, on_open=revoke_and_tell) == [], "the server ended it"
    assert httpx.get(f"{base_url}/api/v1/stream", headers=mine, timeout=60).status_code == 401


def test_a_silent_stream_says_that_it_lives_and_changes_no_place(base_url, headers, monkeypatch):
    monkeypatch.setattr(stream, "SILENCE_S", 0.2)
    with httpx.stream("GET", f"{base_url}/api/v1/stream", headers=headers, timeout=20) as answer:
        lines = answer.iter_lines()
        said = next(line for line in lines if line.startswith("event"))
        rest = [next(lines), next(lines)]
    assert (said, rest) == ("event: alive", ["data: {}", ""])


def test_a_stranger_gets_no_stream(base_url):
    assert httpx.get(f"{base_url}/api/v1/stream", timeout=60).status_code == 401
