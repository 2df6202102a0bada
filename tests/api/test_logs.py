"""Logs by byte range and as they come: every byte once, the last line too."""

import asyncio
import json
import threading
import time

import pytest

from api.tail import Place, tail
from runs.db import writing
from runs.files import log_path
from runs.life import leases
from runs.life.leases import Worker


@pytest.fixture
def attempt(client, engine, settings, run_id):
    """Begin an attempt of the run: its lease and the path of its log."""

    def begin():
        with writing(engine) as session:
            lease = leases.claim(session, run_id, Worker("w", "h", 0), 60)
        path = log_path(settings.run_dir(run_id), lease.attempt)
        path.parent.mkdir(parents=True, exist_ok=True)
        return lease, path

    return begin


@pytest.fixture
def finish(engine, settings):
    def end(lease, reason):
        with writing(engine) as session:
            leases.finish(session, lease, settings, reason=reason)

    return end


def heard(engine, settings, run_id, place=None):
    """Everything a stream says until its end, as (event, id, data)."""

    async def listen():
        return [event async for event in tail(engine, settings, run_id, place)]

    events = asyncio.run(asyncio.wait_for(listen(), 20))
    return [(event.event, event.id, json.loads(event.raw_data)) for event in events if event.event]


def test_a_log_is_read_on_from_a_byte(client, attempt, run_id):
    _, path = attempt()
    path.write_text("one\ntwo\nthr")
    found, offset = "", 0
    while True:
        answer = client.get(f"/api/v1/runs/{run_id}/logs", params={"offset": offset, "limit": 4})
        found, offset = found + answer.text, int(answer.headers["log-next"])
        if offset == int(answer.headers["log-size"]):
            break
    assert found == "one\ntwo\nthr"
    assert client.get(f"/api/v1/runs/{run_id}/logs").text == "one\ntwo\nthr"


def test_a_tail_brings_what_is_printed_to_the_last_word(client, engine, settings, run_id, attempt, finish):
    lease, path = attempt()
    path.write_text("begun\n")

    def go_on():
        for text in ("more\n", "and ", "more\n", "the last wor"):
            with path.open("a") as file:
                file.write(text)
            time.sleep(0.1)
        path.open("a").write("ds")
        finish(lease, None)

    thread = threading.Thread(target=go_on)
    thread.start()
    events = heard(engine, settings, run_id)
    thread.join()
    assert "".join(data["text"] for name, _, data in events if name == "log") == "begun\nmore\nand more\nthe last words"
    assert events[-1][0] == "end"


def test_a_tail_goes_on_through_later_attempts(client, engine, settings, run_id, attempt, finish):
    lease, path = attempt()
    path.write_text("first\n")
    finish(lease, "worker_stopped")
    lease, path = attempt()
    path.write_text("second\n")
    finish(lease, None)
    events = heard(engine, settings, run_id, Place(1, 0))
    assert [(name, id_) for name, id_, _ in events] == [("log", "1:6"), ("log", "2:7"), ("end", "2:7")]


def test_a_tail_of_which_nothing_is_printed_says_that_it_lives(engine, settings, run_id, attempt, finish, monkeypatch):
    monkeypatch.setattr("api.tail.SILENCE_S", 0.1)
    lease, path = attempt()
    path.write_text("one\n")
    threading.Timer(1.0, finish, [lease, None]).start()
    events = heard(engine, settings, run_id, Place(1, 0))
    assert events[0][0] == "log"
    assert ("alive", None, {}) in events


def test_the_stream_of_a_run_that_ended_unstarted_ends(client, run_id):
    client.post(f"/api/v1/runs/{run_id}/cancel")
    answer = client.get(f"/api/v1/runs/{run_id}/logs/stream")
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert "event: end" in answer.text
    assert client.get(f"/api/v1/runs/{run_id}/logs/stream", headers={"Last-Event-ID": "../x"}).status_code == 422
    assert client.get("/api/v1/runs/run_none/logs/stream").status_code == 404


def test_a_returning_reader_hears_only_the_rest(client, engine, settings, run_id, attempt, finish):
    lease, path = attempt()
    path.write_text("one\ntwo\n")
    finish(lease, None)
    answer = client.get(f"/api/v1/runs/{run_id}/logs/stream", headers={"Last-Event-ID": "1:4"})
    assert '"text": "two\\n"' in answer.text
    assert "one" not in answer.text


def test_older_parts_of_a_log_in_whole_lines(client, attempt, run_id):
    _, path = attempt()
    path.write_text("".join(f"line {number}\n" for number in range(100)))
    url = f"/api/v1/runs/{run_id}/logs"
    end = client.get(url, params={"before": 2**62, "limit": 20})
    assert end.text == "line 98\nline 99\n"
    assert end.headers["Log-Next"] == end.headers["Log-Size"] == str(path.stat().st_size)
    before = client.get(url, params={"before": end.headers["Log-From"], "limit": 20})
    assert before.text == "line 96\nline 97\n"
    assert before.headers["Log-Attempt"] == "1"
