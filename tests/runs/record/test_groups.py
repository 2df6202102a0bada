"""Groups found by what their samples are together, from real Parquet files."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from runs.errors import PatternError
from runs.record import rollouts
from runs.record.groups import kept, page
from runs.record.rollouts import RolloutFilter
from trapo_core.rollout_schema import SCHEMA


def row(step, problem, slot, sample, reward, **values):
    made = {
        "step": step, "problem": problem, "slot": slot, "sample": sample, "ratio": 0.5 if slot else 0.0,
        "reward": reward, "outcome": "right" if reward else "wrong", "advantage": 0.25, "finish": "stop",
        "prompt": "2 + 2?", "answer": "4", "prefix": "Well" if slot else "", "completion": f"{problem} {step}",
        "prefix_tokens": slot, "token_ids": [5, 6, 7], "logps": [-0.5, -1.0, -2.0], "entropies": [0.1, 0.2, 0.3],
    }  # fmt: skip
    return made | values


@pytest.fixture
def run_dir(tmp_path):
    """Steps 2, 4 and 6 with an easy problem, a hard one, and one in between; `hard` was drawn twice."""
    (tmp_path / "rollouts").mkdir()
    for step in (2, 4, 6):
        rows = [row(step, "easy", slot, sample, 1.0) for slot in (0, 1) for sample in (0, 1)]
        for _ in range(2):
            rows += [row(step, "hard", slot, sample, 0.0) for slot in (0, 1) for sample in (0, 1)]
        rows += [row(step, "even", 0, 0, 0.0), row(step, "even", 1, 0, 1.0, finish="length", completion="4 cats")]
        pq.write_table(pa.Table.from_pylist(rows, SCHEMA), tmp_path / "rollouts" / f"step-{step:06d}.parquet")
    return tmp_path


def ids(run_dir, verdict=None, limit=200, **wanted):
    return [found["id"] for found in page(run_dir, 6, RolloutFilter(**wanted), verdict, limit)[0]]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({"step": 4}, ["4-0", "4-4", "4-8", "4-12"]),
        ({"verdict": "all_right"}, ["6-0", "4-0", "2-0"]),
        ({"verdict": "all_wrong", "step": 2}, ["2-4", "2-8"]),
        ({"verdict": "mixed", "to_step": 4}, ["4-12", "2-12"]),
        ({"finish": "length", "step": 6}, ["6-12"]),
        ({"finish": "length", "verdict": "all_right"}, []),
        ({"problem": "easy", "guided": True, "step": 6}, ["6-0"]),
        ({"matches": r"^\d CATS?$", "step": 6}, ["6-12"]),
        ({"matches": "^(a+)+$"}, []),
        ({"step": 3}, []),
    ],
)
def test_groups_are_found_by_what_they_are(run_dir, wanted, found):
    assert ids(run_dir, **wanted) == found


def test_a_group_comes_whole_and_says_which_samples_matched(run_dir):
    ((group,), _) = page(run_dir, 6, RolloutFilter(step=6, finish="length"), None, 9)
    assert [(sample["id"], sample["matches"]) for sample in group["samples"]] == [("6-12", False), ("6-13", True)]
    assert (group["verdict"], group["samples"][1]["completion_tokens"]) == ("mixed", 2)


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 5, 12, 13])
def test_pages_join_to_the_whole(run_dir, limit):
    found, cursor = [], None
    while True:
        data, cursor = page(run_dir, 6, RolloutFilter(), None, limit, cursor)
        found += [item["id"] for item in data]
        if cursor is None:
            break
        assert len(data) == limit
    assert found == [f"{step}-{place}" for step in (6, 4, 2) for place in (0, 4, 8, 12)]


@pytest.mark.parametrize("bound", [("FILES_A_PAGE", 1), ("SECONDS_A_PAGE", -1.0)])
def test_a_long_search_answers_in_parts(run_dir, monkeypatch, bound):
    monkeypatch.setattr(rollouts, *bound)
    cursor, parts = None, []
    for _ in range(3):
        data, cursor = page(run_dir, 6, RolloutFilter(to_step=6), None, 9, cursor)
        parts.append([item["step"] for item in data])
    assert parts == [[6] * 4, [4] * 4, [2] * 4]
    assert cursor is None


def test_which_steps_are_kept(run_dir):
    assert vars(kept(run_dir, 6, None)) == {"count": 3, "first": 2, "last": 6, "before": 4, "after": None}
    assert vars(kept(run_dir, 5, 3)) == {"count": 2, "first": 2, "last": 4, "before": 2, "after": 4}
    assert kept(run_dir, 1, None).count == 0


@pytest.mark.parametrize("pattern", ["(", "(?=a)", "a{1001}", r"(a)\1"])
def test_what_is_no_expression_is_refused(pattern):
    with pytest.raises(PatternError):
        RolloutFilter(matches=pattern)
