"""Calls about single samples and problems, against the real api."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from client import Client
from client.errors import ApiError
from runs.life.leases import Lease
from runs.record.ingest import ingest
from runs.settings import Settings
from trapo_core.events import (
    AttemptStarted,
    BenchmarkOutcomes,
    BenchmarkScore,
    EventWriter,
    ExpertTokens,
    GuidanceDone,
    PrefixLengths,
    ProblemOutcomes,
    StepDone,
)
from trapo_core.expert_bins import P_BINS
from trapo_core.rollout_schema import SCHEMA

PROBLEMS = 60  # of the benchmark: more than a page holds
RIGHT = {1: [0] * PROBLEMS, 2: [place % 3 for place in range(PROBLEMS)]}


def sampled(step: int, slot: int, sample: int, reward: float) -> dict[str, Any]:
    return {
        "step": step, "problem": f"p{step}", "slot": slot, "sample": sample, "ratio": 0.5 * slot, "reward": reward,
        "outcome": "right" if reward else "wrong", "advantage": 0.5, "finish": "stop", "prompt": "1+1?", "answer": "2",
        "prefix": "a" * slot, "completion": f"It is {sample}.", "prefix_tokens": slot, "token_ids": [1, 2],
        "logps": [-1.0, -2.0], "entropies": [0.5, 0.5], "lengths": [1 + slot, 6], "detail": "",
    }  # fmt: skip


def answered(place: int, sample: int, right: int) -> dict[str, Any]:
    return {
        "problem": f"p{place}", "sample": sample, "prompt": f"What is {place}? " + "x" * 400, "answer": f"{place}",
        "completion": "y" * 400 + f" so {place}", "tokens": 40, "finish": "stop", "score": float(sample < right),
        "outcome": "right" if sample < right else "wrong",
    }  # fmt: skip


def guidance(step: int) -> GuidanceDone:
    needed = ProblemOutcomes(
        samples=[2, 1], ids=["easy", f"hard-{step}"], ratios=[[0, 0], [0, 0.5]], rewards=[[2, 1], [0, 1]], texts={}
    )
    lengths = PrefixLengths(bin_tokens=8, counts=[5, 1], rewards=[4.0, 1.0])
    tokens = ExpertTokens(alpha=0.05, counts=[[step] * P_BINS], inside=[4])
    return GuidanceDone(step=step, slots=[], prefix_lengths=lengths, problems=needed, expert_tokens=tokens)


@pytest.fixture
def watched(run: str, engine: Any, settings: Settings, attempt: Callable[[str], tuple[Lease, Path]]) -> str:
    """A run that has taken two steps, with rollouts, guidance, and a benchmark's answers."""
    lease, _ = attempt(run)
    run_dir = settings.run_dir(run)
    (run_dir / "rollouts").mkdir(parents=True)
    tell = EventWriter(run_dir)
    tell(AttemptStarted(attempt=1, resumed_from_step=0, total_steps=10, pid=1))
    for step, right in RIGHT.items():
        rollouts = [sampled(step, slot, sample, float(step == 2 and sample)) for slot in (0, 1) for sample in (0, 1)]
        pq.write_table(pa.Table.from_pylist(rollouts, SCHEMA), run_dir / "rollouts" / f"step-{step:06d}.parquet")
        folder = run_dir / "evaluations" / f"step-{step:06d}"
        folder.mkdir(parents=True)
        answers = [answered(place, sample, times) for place, times in enumerate(right) for sample in (0, 1)]
        pq.write_table(pa.Table.from_pylist(answers), folder / "math? #1.parquet")
        tell(
            StepDone(step=step, seconds=1, metrics={}),
            guidance(step),
            BenchmarkOutcomes(step=step, benchmark="math? #1", setting={}, problems="same", samples=2, right=right),
            BenchmarkScore(
                step=step, benchmark="math? #1", metric="avg@2", score=0.5, low=0.4, high=0.6, confidence=0.95,
                interval="cluster_bootstrap", problems=PROBLEMS, samples=2,
            ),
        )  # fmt: skip
    tell.close()
    ingest(engine, lease, run_dir)
    return run


def test_groups_and_rollouts_are_found_by_what_they_are(client: Client, watched: str) -> None:
    found = client.groups(watched)
    assert [(one.step, one.verdict, len(one.samples)) for one in found.data] == [(2, "mixed", 4), (1, "all_wrong", 4)]
    assert (found.kept.count, found.kept.first, found.kept.last) == (2, 1, 2)
    [one] = client.groups(watched, verdict="mixed", slot=0, min_reward=0.5).data
    assert [sample.matches for sample in one.samples] == [False, True, False, False]
    first = client.groups(watched, limit=1)
    assert (len(first.data), first.next_cursor is None) == (1, False)
    assert {row.guided for row in client.rollouts(watched, guided=False)} == {False}
    whole = client.rollout(watched, one.samples[1].id)
    assert (whole.completion, whole.tokens.token_ids) == ("It is 1.", [1, 2])


def test_problems_come_with_what_they_need_page_after_page(client: Client, watched: str) -> None:
    found = client.problems(watched)
    assert [(one.problem, one.help) for one in found.data][:2] == [("hard-1", 0.5), ("hard-2", 0.5)]
    assert sum(found.shares) == 3
    [easy] = client.problems(watched, contains="EAS", visits=1).data
    assert [visit.step for visit in easy.history] == [2]
    assert [one.problem for one in client.problems(watched, 2, sort="problem").data] == ["easy", "hard-1"]


def test_the_trust_region_counts_the_experts_tokens(client: Client, watched: str) -> None:
    both, last = client.trust_region(watched), client.trust_region(watched, from_step=2)
    assert (both.alpha, both.steps, both.inside, both.counts[0][0]) == (0.05, 2, [8], 3)
    assert (last.from_step, last.counts[0][0]) == (2, 2)


def test_all_answers_of_an_evaluation_are_read_over_several_pages(client: Client, watched: str) -> None:
    found = client.evaluation(watched, 2, "math? #1", limit=1000)
    assert [one.place for one in found.data] == list(range(PROBLEMS))
    assert (found.total, found.before, found.counts.better, found.next_cursor) == (PROBLEMS, 1, 40, None)
    some = client.evaluation(watched, 2, "math? #1", 5, verdict="mixed", change="better")
    assert ([one.place for one in some.data], some.total) == ([1, 4, 7, 10, 13], 20)
    whole = client.evaluated_problem(watched, 2, "math? #1", 4)
    assert (whole.verdict, len(whole.prompt), whole.earlier[0].right) == ("mixed", 411, 0)
    with pytest.raises(ApiError, match="was not evaluated at step 7"):
        client.evaluation(watched, 7, "math? #1")


def test_they_are_pandas_tables(client: Client, watched: str) -> None:
    pytest.importorskip("pandas")
    samples = client.groups(watched, step=2).to_frame()
    assert samples.groupby("slot")["reward"].mean().to_dict() == {0: 0.5, 1: 0.5}
    assert client.problems(watched).to_frame()["help"].tolist()[:2] == [0.5, 0.5]
    cells = client.trust_region(watched).to_frame()
    assert (len(cells), cells["tokens"].sum()) == (P_BINS, 3 * P_BINS)
    answers = client.evaluation(watched, 2, "math? #1", limit=100).to_frame()
    assert (len(answers), answers["score"].sum()) == (2 * PROBLEMS, sum(RIGHT[2]))
    tokens = client.rollout(watched, "2-0").tokens.to_frame()
    assert tokens["token_ids"].tolist() == [1, 2]
