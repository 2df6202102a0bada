"""What a run has said, as JSON that any reader can parse."""

import math

import pytest

from runs.db import writing
from runs.life import leases
from runs.life.leases import Worker
from runs.record.ingest import ingest
from trapo_core.events import AttemptStarted, BenchmarkScore, CheckpointSaved, EventWriter, StepDone


@pytest.fixture
def told(client, engine, settings, run_id):
    """A run that has taken 5 steps, one of them not a number, and saved two checkpoints, one of them still there."""
    with writing(engine) as session:
        lease = leases.claim(session, run_id, Worker("w", "h", 0), 60)
    run_dir = settings.run_dir(run_id)
    (run_dir / "checkpoints" / "4").mkdir(parents=True)
    (run_dir / "logs").mkdir()
    (run_dir / "logs" / "attempt-0001.log").write_text("<b>hello</b>\n")
    tell = EventWriter(run_dir)
    tell(AttemptStarted(attempt=1, resumed_from_step=0, total_steps=10, pid=1))
    for step in range(1, 6):
        tell(StepDone(step=step, seconds=1, metrics={"reward/unguided": math.nan if step == 3 else step / 10}))
    for step in (2, 4):
        tell(CheckpointSaved(step=step, path=f"checkpoints/{step}", bytes=7, sha256="ab"))
    tell(
        BenchmarkScore(
            step=5, benchmark="b", metric="avg@1", score=0.5, low=0.4, high=0.6, confidence=0.95, interval="wilson",
            problems=9, samples=1,
        )
    )  # fmt: skip
    tell.close()
    ingest(engine, lease, run_dir)
    return run_id


def test_a_curve_with_a_hole_is_valid_json(client, told):
    body = {"run_ids": [told, "run_none"], "keys": ["reward/unguided"]}
    curve, empty = client.post("/api/v1/series:query", json=body).json()["data"]
    assert curve["steps"] == [1, 2, 3, 4, 5]
    assert curve["mean"] == [0.1, 0.2, "NaN", 0.4, 0.5]
    assert curve["min"] == curve["max"] == curve["mean"]
    assert empty == {"run_id": "run_none", "key": "reward/unguided", "steps": [], "min": [], "max": [], "mean": []}


def test_a_curve_is_read_in_part(client, told):
    body = {"run_ids": [told], "keys": ["reward/unguided"], "from_step": 2, "to_step": 4, "points": 2}
    (curve,) = client.post("/api/v1/series:query", json=body).json()["data"]
    assert curve["steps"] == [3, 4]
    assert curve["mean"][0] == "NaN"
    assert (curve["min"][0], curve["max"][0]) == (0.2, 0.2)


def test_the_catalogue_scores_checkpoints_and_attempts(client, told):
    read = {part: client.get(f"/api/v1/runs/{told}/{part}").json()["data"] for part in ("series", "scores", "attempts")}
    assert read["series"][0] == {"key": "reward/unguided", "points": 5, "last_step": 5, "last_value": 0.5}
    assert read["scores"][0]["interval"] == "wilson"
    assert read["attempts"][0]["resumed_from_step"] == 0
    checkpoints = client.get(f"/api/v1/runs/{told}/checkpoints").json()["data"]
    assert [row["step"] for row in checkpoints] == [4], "the other was pruned"
    assert client.get(f"/api/v1/runs/{told}/guidance").json() == {"steps_per_bucket": 1, "data": []}
    summary = client.get(f"/api/v1/runs/{told}").json()["summary"]
    assert summary["sparkline"] == [0.1, 0.2, None, 0.4, 0.5]


def test_a_log_is_plain_text_whatever_is_in_it(client, told):
    answer = client.get(f"/api/v1/runs/{told}/logs")
    assert answer.text == "<b>hello</b>\n"
    assert answer.headers["content-type"].startswith("text/plain")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert client.get(f"/api/v1/runs/{told}/logs?attempt=7").text == ""
    assert client.get(f"/api/v1/runs/{told}/logs?attempt=../../x").status_code == 422


def test_events_are_read_on_from_a_number(client, told):
    first = client.get(f"/api/v1/runs/{told}/events?limit=3").json()
    rest = client.get(f"/api/v1/runs/{told}/events", params={"after": first["next_cursor"]}).json()
    seqs = [event["seq"] for event in first["data"] + rest["data"]]
    assert seqs == sorted(set(seqs))
    types = [event["type"] for event in first["data"] + rest["data"]]
    assert types.count("step") == 5
    steps = [event["data"] for event in rest["data"] if event["type"] == "step"]
    assert steps[2]["metrics"] == {"reward/unguided": "NaN"}
    assert client.get(f"/api/v1/runs/{told}/events?after={seqs[-1]}").json() == {"data": [], "next_cursor": None}


def test_methods_recipes_and_workers(client, settings, make_settings):
    methods = {row["name"] for row in client.get("/api/v1/methods").json()["data"]}
    assert {"trapo", "grpo", "sft", "luffy"} <= methods
    assert client.get("/api/v1/workers").json() == {"data": [], "next_cursor": None}
    assert client.get("/api/v1/recipes").status_code == 200


def test_the_schema_of_specs_has_what_a_form_needs(client):
    schemas = client.get("/api/v1/spec-schema").json()
    train = schemas["train"]
    assert train["properties"]["steps"] == {"default": 500, "minimum": 1, "title": "Steps", "type": "integer"}
    assert "source" in train["properties"]["model"]["discriminator"]["propertyName"]
    assert "description" in train["$defs"]["Slot"]["properties"]["ratio"]
    assert schemas["eval"]["properties"]["benchmarks"]["minItems"] == 1


def test_numbers_beyond_the_databases_are_refused(client, run_id):
    beyond = 2**63
    for path in (f"/events?after={beyond}", f"/guidance?from_step={beyond}", f"/guidance?to_step={beyond}"):
        assert client.get(f"/api/v1/runs/{run_id}{path}").status_code == 422


def test_a_name_is_one_line_of_text(client, spec):
    answer = client.post("/api/v1/runs", json=spec | {"name": "two\nlines\0"})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/name"


def test_a_curve_is_smoothed_on_request(client, told):
    body = {"run_ids": [told], "keys": ["reward/unguided"], "smooth": 2, "from_step": 2}
    (curve,) = client.post("/api/v1/series:query", json=body).json()["data"]
    assert curve["steps"] == [2, 3, 4, 5]
    assert [m if m == "NaN" else round(m, 9) for m in curve["mean"]] == [0.15, "NaN", 0.4, 0.45]
    body["smooth"] = 0
    assert client.post("/api/v1/series:query", json=body).status_code == 422


def test_events_backwards_by_kind_and_text(client, told):
    url = f"/api/v1/runs/{told}/events"
    newest = client.get(url, params={"sort": "-seq", "type": ["step", "checkpoint"], "limit": 3}).json()
    assert [(event["type"], event["data"]["step"]) for event in newest["data"]] == [
        ("checkpoint", 4), ("checkpoint", 2), ("step", 5),
    ]  # fmt: skip
    before = {"sort": "-seq", "before": newest["next_cursor"], "type": "step", "up_to_step": 3, "limit": 1}
    assert client.get(url, params=before).json()["data"][0]["data"]["step"] == 3
    assert len(client.get(url, params={"contains": "checkpoints/4"}).json()["data"]) == 1
    assert client.get(url, params={"up_to": "yesterday"}).status_code == 422
