"""Rollouts found by what they are, from real Parquet files; and the kernel of the light side is the trainer's."""

import math

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from runs.errors import NotFoundError
from runs.record import rollouts
from runs.record.rollouts import RolloutFilter, page
from runs.record.token_facts import KERNELS, expert_term, token_facts
from trapo_core.kernels import expert_weight
from trapo_core.knobs import ExpertTerm
from trapo_core.rollout_schema import SCHEMA
from trapo_core.spec import parse_spec

SPEC = {"model": {"source": "small_world"}, "data": {"format": "small_world"}, "steps": 5, "prompts_per_step": 2}


def row(step, sample, **values):
    made = {
        "step": step, "problem": f"p{sample}", "slot": sample % 2, "sample": sample, "ratio": 0.5, "reward": sample / 4,
        "outcome": "right", "advantage": 0.25, "finish": "stop", "prompt": "What is 2 + 2?", "answer": "4",
        "prefix": "Well", "completion": f"it is {sample}.", "prefix_tokens": sample % 2, "token_ids": [5, 6, 7],
        "logps": [-0.5, -1.0, -2.0], "entropies": [0.1, 0.2, 0.3],
    }  # fmt: skip
    return made | values


@pytest.fixture
def run_dir(tmp_path):
    """Steps 1 to 6 with four rollouts each."""
    (tmp_path / "rollouts").mkdir()
    for step in range(1, 7):
        rows = [row(step, sample) for sample in range(4)]
        rows[3] |= {"completion": "Ünlikely 100%", "finish": "length", "advantage": None} if step == 2 else {}
        pq.write_table(pa.Table.from_pylist(rows, SCHEMA), tmp_path / "rollouts" / f"step-{step:06d}.parquet")
    (tmp_path / "rollouts" / "step-000007.tmp").write_text("half")
    return tmp_path


def ids(run_dir, last_step=6, limit=200, **wanted):
    return [found["id"] for found in page(run_dir, last_step, RolloutFilter(**wanted), limit)[0]]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({"step": 2}, ["2-0", "2-1", "2-2", "2-3"]),
        ({"from_step": 3, "to_step": 4, "min_reward": 0.7}, ["4-3", "3-3"]),
        ({"step": 1, "max_reward": 0.25}, ["1-0", "1-1"]),
        ({"step": 1, "guided": True}, ["1-1", "1-3"]),
        ({"step": 1, "guided": False}, ["1-0", "1-2"]),
        ({"step": 1, "slot": 1, "problem": "p3"}, ["1-3"]),
        ({"finish": "length"}, ["2-3"]),
        ({"contains": "ünLIKELY 100%"}, ["2-3"]),
        ({"outcome": "wrong"}, []),
        ({"min_reward": 2.0}, []),
    ],
)
def test_rollouts_are_found_by_what_they_are(run_dir, wanted, found):
    assert ids(run_dir, **wanted) == found


@pytest.mark.parametrize("limit", [1, 3, 4, 5, 24, 25])
def test_pages_join_to_the_whole(run_dir, limit):
    found, cursor = [], None
    while True:
        data, cursor = page(run_dir, 6, RolloutFilter(), limit, cursor)
        found += [item["id"] for item in data]
        if cursor is None:
            break
        assert len(data) == limit
    assert found == [f"{step}-{place}" for step in range(6, 0, -1) for place in range(4)]


@pytest.mark.parametrize(("bound", "parts"), [(("FILES_A_PAGE", 2), 3), (("SECONDS_A_PAGE", -1.0), 6)])
@pytest.mark.parametrize("wanted", [{"finish": "length"}, {"matches": "^ünlikely"}])
def test_a_long_search_answers_in_parts(run_dir, monkeypatch, bound, parts, wanted):
    monkeypatch.setattr(rollouts, *bound)
    assert page(run_dir, 6, RolloutFilter(**wanted), 9)[0] == []
    cursor, found = None, []
    for _ in range(parts):
        data, cursor = page(run_dir, 6, RolloutFilter(**wanted), 9, cursor)
        found += data
    assert [item["id"] for item in found] == ["2-3"]
    assert cursor is None


def test_rollouts_are_the_same_whatever_the_groups_of_their_rows(run_dir):
    wanted = RolloutFilter(min_reward=0.25)
    whole, single = page(run_dir, 6, wanted, 99), rollouts.one(run_dir, 6, "2-3")
    for path in (run_dir / "rollouts").glob("*.parquet"):
        pq.write_table(pq.read_table(path), path, row_group_size=2)
    assert (page(run_dir, 6, wanted, 99), rollouts.one(run_dir, 6, "2-3")) == (whole, single)


def test_what_a_resume_superseded_is_not_shown(run_dir):
    assert ids(run_dir, last_step=4, limit=1) == ["4-0"]
    with pytest.raises(NotFoundError):
        rollouts.one(run_dir, 4, "5-0")


@pytest.mark.parametrize("rollout_id", ["", "1", "1-", "-1-2", "../x-1", "1-99", "99-1", "1-" + "9" * 40, "¹-1"])
def test_what_is_no_id_is_not_found(run_dir, rollout_id):
    with pytest.raises(NotFoundError):
        rollouts.one(run_dir, 6, rollout_id)


def test_a_run_without_rollouts_has_none(tmp_path):
    assert page(tmp_path, 5, RolloutFilter(), 5) == ([], None)


def test_each_token_of_a_rollout_has_its_facts(run_dir):
    facts = token_facts(rollouts.one(run_dir, 6, "1-1"), parse_spec(SPEC | {"method": "trapo"}))
    assert facts["guided"] == [True, False, False]
    assert facts["p"] == pytest.approx([0.6065, 0.3679, 0.1353], abs=1e-4)
    assert facts["kernel_weights"] == [1.0, None, None], "p is above alpha"
    assert facts["advantages"] == [None, 0.25, 0.25]
    assert facts["entropies"] == pytest.approx([0.1, 0.2, 0.3])


@pytest.mark.parametrize("kernel", sorted(KERNELS))
@pytest.mark.parametrize("p", [0.001, 0.1, 0.5, 1.0])
def test_a_kernel_weighs_as_the_trainers_does(kernel, p):
    term = ExpertTerm(kernel=kernel)
    wanted = expert_weight(kernel, [math.log(p)], **term.kernel_params).item()
    assert KERNELS[kernel](p, term) == pytest.approx(wanted)


def test_a_step_belongs_to_its_stage():
    spec = parse_spec(SPEC | {"method": "trapo"})
    assert expert_term(spec, 1).kernel == "trsft"
    assert expert_term(spec, 6) is None
