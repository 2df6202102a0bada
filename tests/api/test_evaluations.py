"""Answers of an evaluation, problem by problem, beside how often they were right before."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from runs.db import writing
from runs.life import leases
from runs.life.leases import Worker
from runs.record.ingest import ingest
from trapo_core.events import AttemptStarted, BenchmarkOutcomes, BenchmarkScore, EventWriter

RIGHT = {10: [0, 2, 1, 0], 20: [2, 2, 0, 0]}
SETTING = {"samples": 2, "template": "simple"}


def scored(step, benchmark="aime"):
    return BenchmarkScore(
        step=step, benchmark=benchmark, metric="avg@2", score=0.5, low=0.4, high=0.6, confidence=0.95,
        interval="cluster_bootstrap", problems=4, samples=2,
    )  # fmt: skip


def outcomes(step, right, problems="same"):
    return BenchmarkOutcomes(step=step, benchmark="aime", setting=SETTING, problems=problems, samples=2, right=right)


def write(run_dir, step, right):
    rows = [
        {
            "problem": f"p{place}", "sample": sample, "prompt": f"What is {place} + {place}? " + "x" * 400,
            "answer": f"{2 * place}", "completion": "y" * 400 + f" Ünd so #{2 * place if sample < times else 99}",
            "tokens": 40 + sample, "finish": "stop", "score": float(sample < times),
            "outcome": "right" if sample < times else "wrong",
        }
        for place, times in enumerate(right)
        for sample in range(2)
    ]  # fmt: skip
    folder = run_dir / "evaluations" / f"step-{step:06d}"
    folder.mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist(rows), folder / "aime.parquet", compression="zstd")


@pytest.fixture
def evaluated(client, engine, settings, run_id):
    """Two evaluations with answers, and one of `other` that has none."""
    with writing(engine) as session:
        lease = leases.claim(session, run_id, Worker("w", "h", 0), 60)
    run_dir = settings.run_dir(run_id)
    run_dir.mkdir(parents=True)
    tell = EventWriter(run_dir)
    tell(AttemptStarted(attempt=1, resumed_from_step=0, total_steps=30, pid=1))
    for step, right in RIGHT.items():
        write(run_dir, step, right)
        tell(outcomes(step, right), scored(step))
    tell(scored(20, "other"), scored(20, "../aime"))
    tell.close()
    ingest(engine, lease, run_dir)
    return f"/api/v1/runs/{run_id}/evaluations", run_dir, lease


def places(client, url, **asked):
    return [one["place"] for one in client.get(url, params=asked).json()["data"]]


def test_problems_with_their_answers_and_what_was_before(client, evaluated):
    url = f"{evaluated[0]}/20/aime"
    read = client.get(url).json()
    assert (read["total"], read["before"], read["next_cursor"]) == (4, 10, None)
    assert read["counts"] == {"all_right": 2, "all_wrong": 2, "mixed": 0, "better": 1, "worse": 1}
    first = read["data"][0]
    assert (first["problem"], first["answer"], first["verdict"], first["right"]) == ("p0", "0", "all_right", 2)
    assert first["earlier"] == [{"step": 10, "right": 0}]
    assert len(first["prompt"]) == 280
    assert first["prompt"].startswith("What is 0")
    assert [one["outcome"] for one in first["answers"]] == ["right", "right"]
    assert first["answers"][0]["completion"].endswith("Ünd so #0")
    whole = client.get(f"{url}/0").json()
    assert len(whole["prompt"]) > 400
    assert len(whole["answers"][1]["completion"]) > 400
    assert whole["earlier"] == first["earlier"]


def test_found_by_verdict_change_and_text(client, evaluated):
    url = f"{evaluated[0]}/20/aime"
    assert places(client, url, verdict="all_wrong") == [2, 3]
    assert places(client, url, change="any") == [0, 2]
    assert places(client, url, change="better") == [0]
    assert places(client, url, change="worse", verdict="all_wrong") == [2]
    assert places(client, url, contains="ünd SO #6") == []
    assert places(client, url, contains="ünd SO #2") == [1]
    assert places(client, f"{evaluated[0]}/10/aime", change="any") == [], "nothing was before"
    assert places(client, f"{evaluated[0]}/10/aime", verdict="mixed") == [2]


def test_page_by_page(client, evaluated):
    url = f"{evaluated[0]}/20/aime"
    first = client.get(url, params={"limit": 3}).json()
    assert [one["place"] for one in first["data"]] == [0, 1, 2]
    rest = client.get(url, params={"limit": 3, "cursor": first["next_cursor"]}).json()
    assert ([one["place"] for one in rest["data"]], rest["next_cursor"]) == ([3], None)


def test_answers_are_the_same_whatever_the_groups_of_their_rows(client, evaluated):
    url, run_dir, _ = evaluated
    asked = [f"{url}/20/aime", f"{url}/20/aime?limit=1&cursor=2", f"{url}/20/aime?contains=%236", f"{url}/20/aime/3"]
    whole = [client.get(one).json() for one in asked]
    for path in run_dir.rglob("aime.parquet"):
        pq.write_table(pq.read_table(path), path, row_group_size=3)
    assert [client.get(one).json() for one in asked] == whole


@pytest.mark.parametrize("path", ["15/aime", "20/other", "20/..%2Faime", "20/none", "20/aime/4", "20/aime%00"])
def test_what_is_not_there_is_404(client, evaluated, path):
    assert client.get(f"{evaluated[0]}/{path}").status_code in (404, 422)


def test_other_problems_are_no_change_and_a_superseded_step_is_gone(client, evaluated, engine):
    url, run_dir, lease = evaluated
    write(run_dir, 30, [1, 1, 1, 1])
    tell = EventWriter(run_dir)
    tell(outcomes(30, [1, 1, 1, 1], problems="others"), scored(30))
    ingest(engine, lease, run_dir)
    read = client.get(f"{url}/30/aime").json()
    assert (read["before"], read["counts"]["better"], read["data"][0]["earlier"]) == (None, 0, [])
    tell(AttemptStarted(attempt=2, resumed_from_step=15, total_steps=30, pid=1))
    tell.close()
    ingest(engine, lease, run_dir)
    assert client.get(f"{url}/20/aime").status_code == 404
    assert client.get(f"{url}/10/aime").status_code == 200
