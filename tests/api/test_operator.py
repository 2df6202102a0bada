"""What an operator asks: gc, figures for Prometheus, the table of reasons."""

import os
import re

from fastapi.testclient import TestClient

from api.metrics import BUCKETS_S, Requests, render
from runs.access import keys
from runs.access.audit import list_audit
from runs.db import reading, writing
from runs.life.figures import Figures, read_figures
from runs.life.leases import Worker, claim
from runs.states import REASONS
from runs.tables import RunRow, WorkerRow

SAMPLE = re.compile(r'([a-z_]+)(?:\{((?:[a-z]+="(?:[^"\\\n]|\\.)*",?)*)\})? (-?[0-9.e+]+|NaN|\+Inf)')


def scraped(client):
    """The samples of /metrics; every line is one, or says of which kind they are."""
    answer = client.get("/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert answer.text.endswith("\n")
    found = {}
    for line in answer.text.splitlines():
        if line.startswith("#"):
            assert re.fullmatch(r"# (HELP trapo_[a-z_]+ .+|TYPE trapo_[a-z_]+ (gauge|counter|histogram))", line)
            continue
        name, labels, value = SAMPLE.fullmatch(line).groups()
        found[name, labels or ""] = float(value)
    return found


def test_gc_promises_and_then_frees_the_same_and_notes_it_once(client, settings, engine):
    orphan = settings.home / "runs" / "run_of_nobody"
    orphan.mkdir(parents=True)
    (orphan / "file").write_bytes(bytes(1234))
    for path in (orphan / "file", orphan):
        os.utime(path, (1e9, 1e9))
    promised = client.post("/api/v1/gc?dry_run=true").json()
    assert orphan.exists()
    assert (promised["bytes"], promised["rows"], promised["dry_run"]) == (1234, 0, True)
    freed = client.post("/api/v1/gc").json()
    assert freed == promised | {"dry_run": False}
    assert freed["items"] == [
        {"kind": "orphan_folder", "name": "runs/run_of_nobody", "bytes": 1234, "rows": 0, "why": "it belongs to no run"}
    ]
    assert not orphan.exists()
    with reading(engine) as session:
        assert [row.route for row in list_audit(session, 9, None)] == ["/api/v1/gc"]


def test_what_gc_could_not_remove_is_named_and_the_rest_is_freed(client, settings):
    runs = settings.home / "runs"
    for name in ("run_a", "run_b"):
        (runs / name).mkdir(parents=True)
        os.utime(runs / name, (1e9, 1e9))
    (runs / ".deleted-run_a").touch()  # in its way
    report = client.post("/api/v1/gc").json()
    assert [item["name"] for item in report["items"]] == ["runs/run_b"]
    ((kind, name, why),) = [failure.values() for failure in report["failed"]]
    assert (kind, name, "Not a directory" in why) == ("orphan_folder", "runs/run_a", True)


def test_runs_queue_workers_and_events_are_told(client, engine, settings, make_run):
    for _ in range(3):
        make_run(engine)
    with writing(engine) as session:
        claim(session, session.query(RunRow.id).first()[0], Worker("w", "h", 0), 60)
        session.add(WorkerRow(id="w", host="h", pid=1, gpus=0, slots=1))
    found = scraped(client)
    assert found["trapo_runs", 'state="queued"'] == found["trapo_queue_length", ""] == 2
    assert found["trapo_runs", 'state="starting"'] == 1
    assert 0 < found["trapo_queue_oldest_seconds", ""] < 60
    assert found["trapo_workers", 'condition="well"'] == 1
    assert found["trapo_events_total", ""] == 4
    assert found["trapo_disk_free_bytes", ""] > 1e6


def test_the_oldest_waits_since_it_was_queued_last(any_engine, settings, make_run):
    assert read_figures(any_engine, settings).oldest_queued_s == 0
    run_id = make_run(any_engine)
    with writing(any_engine) as session:
        session.get(RunRow, run_id).created_at = session.get(RunRow, run_id).created_at.replace(year=2020)
    assert read_figures(any_engine, settings).oldest_queued_s < 60


def test_answers_are_counted_by_the_template_of_their_route(client, stranger, run_id):
    client.get(f"/api/v1/runs/{run_id}")
    client.get("/api/v1/runs/run_none")
    stranger.get("/api/v1/runs")
    client.get("/nothing/here")
    client.request("BREW", "/coffee")
    found = scraped(client)
    one = 'method="GET",route="/api/v1/runs/{run_id}"'
    assert found["trapo_http_requests_total", f'{one},status="200"'] == 1
    assert found["trapo_http_requests_total", f'{one},status="404"'] == 1
    assert found["trapo_http_requests_total", 'method="GET",route="/api/v1/runs",status="401"'] == 1
    assert not [labels for _, labels in found if "nothing" in labels or "BREW" in labels or run_id in labels]
    assert found["trapo_http_seconds_count", one] == found["trapo_http_seconds_bucket", f'{one},le="+Inf"'] == 2
    rising = [found["trapo_http_seconds_bucket", f'{one},le="{bound}"'] for bound in BUCKETS_S]
    assert rising == sorted(rising)


def test_metrics_want_a_key_that_may_read(client, stranger, engine):
    assert stranger.get("/metrics").status_code == 401
    with writing(engine) as session:
        key = keys.make_key(session, "scraper", ["read"])
        other = keys.make_key(session, "other", ["submit"])
    with_key = TestClient(client.app, headers={"Authorization": f"Bearer {key}"})
    assert with_key.get("/metrics").status_code == 200
    assert TestClient(client.app, headers={"Authorization": f"Bearer {other}"}).get("/metrics").status_code == 403


def test_large_numbers_are_whole():
    figures = Figures({"queued": 0}, 0.5, {}, 2**53, 123_456_789_012_345)
    lines = render(figures, Requests(), 3).splitlines()
    assert "trapo_disk_free_bytes 123456789012345" in lines
    assert "trapo_events_total 9007199254740992" in lines
    assert "trapo_stream_clients 3" in lines


def test_the_table_of_reasons_is_told_as_it_is(client):
    told = client.get("/api/v1/reasons").json()["data"]
    assert [one["reason"] for one in told] == list(REASONS)
    for reason, one in zip(REASONS, told, strict=True):
        rule = REASONS[reason]
        assert one == {"reason": reason} | {name: getattr(rule, name) for name in one if name != "reason"}


def test_the_system_is_told(client, run_id):
    told = client.get("/api/v1/system").json()
    assert [row["run_id"] for row in told["queue"]] == [run_id]
    assert (told["queued"], told["held"], told["workers"]) == (1, [], [])
