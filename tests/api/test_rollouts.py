"""Rollouts over HTTP."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from runs.db import writing
from runs.tables import RunRow
from trapo_core.rollout_schema import SCHEMA

ROW = {
    "step": 3, "problem": "p", "slot": 1, "sample": 0, "ratio": 0.5, "reward": 1.0, "outcome": "right",
    "advantage": None, "finish": "stop", "prompt": "<img onerror=x>", "answer": "4", "prefix": "a",
    "completion": "x" * 500 + "the end", "prefix_tokens": 1, "token_ids": [1, 2], "logps": [None, -1.0],
    "entropies": [None, None],
    "lengths": [1, 507], "detail": "read 'the end'",
}  # fmt: skip


@pytest.fixture
def sampled(client, engine, settings, run_id):
    """A run at step 3 with one rollout."""
    with writing(engine) as session:
        session.get_one(RunRow, run_id).step = 3
    folder = settings.run_dir(run_id) / "rollouts"
    folder.mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist([ROW], SCHEMA), folder / "step-000003.parquet")
    return f"/api/v1/runs/{run_id}/rollouts"


def test_a_list_shows_how_an_answer_ends_and_one_rollout_shows_all(client, sampled):
    (found,) = client.get(sampled, params={"guided": True, "min_reward": 0.5, "contains": "THE END"}).json()["data"]
    assert (found["id"], found["guided"], found["completion_tokens"]) == ("3-0", True, 1)
    assert found["completion"].startswith("…xx") and found["completion"].endswith("the end")
    whole = client.get(f"{sampled}/{found['id']}").json()
    assert whole["completion"] == ROW["completion"]
    assert whole["tokens"]["p"][0] is None, "null where the file does not say"
    assert whole["tokens"]["texts"] == ["a", ROW["completion"]]
    assert whole["detail"] == "read 'the end'"


def test_other_questions_find_nothing_or_are_refused(client, sampled):
    assert client.get(sampled, params={"step": 2}).json() == {"data": [], "next_cursor": None}
    assert client.get(sampled, params={"min_reward": "nan"}).status_code == 422
    assert client.get(f"{sampled}/3-1").status_code == 404
    assert client.get("/api/v1/runs/run_none/rollouts").status_code == 404
    assert client.get(sampled, params={"matches": "("}).json()["code"] == "request_invalid"


def test_a_file_of_an_older_version_is_read(client, sampled, settings, run_id):
    path = settings.run_dir(run_id) / "rollouts" / "step-000003.parquet"
    pq.write_table(pq.read_table(path).drop_columns(["lengths", "detail"]), path)
    whole = client.get(f"{sampled}/3-0").json()
    assert (whole["detail"], whole["tokens"]["texts"]) == (None, None)


def test_groups_say_which_steps_have_rollouts(client, sampled):
    groups = sampled.replace("rollouts", "groups")
    answer = client.get(groups, params={"matches": "the end$", "verdict": "all_right"}).json()
    assert [sample["id"] for sample in answer["data"][0]["samples"]] == ["3-0"]
    assert answer["kept"] == {"count": 1, "first": 3, "last": 3, "before": None, "after": None}
    assert client.get(groups, params={"step": 9}).json()["kept"]["before"] == 3
