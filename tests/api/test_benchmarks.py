"""The board over REST."""

from datetime import UTC, datetime

import pytest

from runs.db import writing
from runs.tables import RunRow
from tests.runs.board_world import answers, score_run, told
from trapo_core.stats import paired_delta, paired_p


@pytest.fixture
def scored(client, engine, settings, spec):
    def make(by_problem, **fields):
        run_id = client.post("/api/v1/runs", json=spec | fields).json()["id"]
        score_run(engine, settings.run_dir(run_id), run_id, *told(by_problem))
        return run_id

    return make


def board(client, **params):
    answer = client.get("/api/v1/benchmarks", params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_the_board_has_scores_with_intervals_and_paired_differences(client, scored):
    ours, theirs = answers(1, skill=0.7), answers(2)
    base, other = scored(theirs, name="base"), scored(ours, name="other", seed=4)
    found = board(client, baseline=base)
    row, base_row = found["data"]
    (cell,) = row["cells"]
    assert (row["name"], row["source"], row["runs"]) == ("other", "run", [{"id": other, "seed": 4, "state": "running"}])
    assert (cell["benchmark"], cell["metric"], cell["problems"], cell["samples"]) == ("chains", "avg@4", 40, 4)
    assert cell["low"] < cell["score"] < cell["high"]
    delta, low, high = paired_delta(ours, theirs)
    assert cell["delta"] == pytest.approx({"delta": delta, "low": low, "high": high, "p": paired_p(ours, theirs)})
    assert found["baseline"] == base_row and base_row["cells"][0]["delta"] is None
    assert found["settings"][cell["setting"]]["temperature"] == 1.0


def test_seeds_are_one_row_with_each_run_in_it(client, scored):
    runs = [scored(answers(seed), seed=seed) for seed in (1, 2)]
    (row,) = board(client, group="seeds")["data"]
    assert [run["id"] for run in row["runs"]] == runs[::-1]
    assert (row["cells"][0]["seeds"], row["cells"][0]["spread"] > 0) == (2, True)


@pytest.mark.parametrize("group", ["none", "seeds"])
def test_a_run_that_is_named_is_there_though_archived(client, engine, scored, group):
    put_away, kept, other = scored(answers(1)), scored(answers(2), seed=2), scored(answers(3), seed=3)
    with writing(engine) as session:
        session.get_one(RunRow, put_away).archived_at = datetime.now(UTC)
    with_id = lambda found: [[run["id"] for run in row["runs"]] for row in found["data"]]  # noqa: E731
    assert all(put_away not in ids for ids in with_id(board(client, group=group)))
    found = board(client, run=[put_away, kept], group=group, baseline=put_away)
    assert with_id(found) == ([[kept, put_away]] if group == "seeds" else [[kept], [put_away]])
    assert other not in [run["id"] for run in found["baseline"]["runs"]]


def test_papers_come_when_asked_for_and_never_compare(client, scored):
    scored(answers(1))
    assert [row["source"] for row in board(client)["data"]] == ["run"]
    papers = [row for row in board(client, published="true", benchmark="aime24")["data"] if row["source"] == "paper"]
    trapo = next(row for row in papers if row["name"] == "TRAPO")
    (cell,) = trapo["cells"]
    assert (cell["metric"], cell["score"], cell["low"], cell["differs"]) == ("avg@32", 0.283, None, ["setting"])
    assert "2512.17636" in trapo["citation"]


def test_a_baseline_that_is_not_there_is_a_404_with_a_hint(client):
    answer = client.get("/api/v1/benchmarks", params={"baseline": "run_none"})
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
