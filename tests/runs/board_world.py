"""Scored runs for tests of the board, told as a training process tells them."""

import random

from runs.db import writing
from runs.life import leases
from runs.life.leases import Worker
from runs.record.ingest import ingest
from trapo_core.events import AttemptStarted, BenchmarkOutcomes, BenchmarkScore, EventWriter
from trapo_core.stats import avg_at_k, cluster_bootstrap, mean, pass_at_k

SETTING = {"temperature": 1.0, "max_tokens": 48, "template": "raw", "answers": "small_world", "checker": "1"}


def answers(seed, problems=40, samples=4, skill=0.4):
    """Scores by problem."""
    chance = random.Random(seed)
    return [[float(chance.random() < skill) for _ in range(samples)] for _ in range(problems)]


def passed(k):
    return lambda scores: pass_at_k(len(scores), int(sum(scores)), k)


def told(by_problem, step=5, benchmark="chains", problems="p1", pass_at=(), **setting):
    """Events of one evaluation."""
    samples = len(by_problem[0])
    outcomes = BenchmarkOutcomes(
        step=step, benchmark=benchmark, setting={"samples": samples, **SETTING, **setting}, problems=problems,
        samples=samples, right=[int(sum(scores)) for scores in by_problem],
    )  # fmt: skip
    return [outcomes, *scores(by_problem, step, benchmark, pass_at)]


def scores(by_problem, step=5, benchmark="chains", pass_at=()):
    """Without outcomes: as a process told them once."""
    samples = len(by_problem[0])
    for metric, statistic in [(f"avg@{samples}", mean), *((f"pass@{k}", passed(k)) for k in pass_at)]:
        low, high = cluster_bootstrap(by_problem, statistic=statistic)
        yield BenchmarkScore(
            step=step, benchmark=benchmark, metric=metric, score=avg_at_k([[statistic(one)] for one in by_problem]),
            low=low, high=high, confidence=0.95, interval="cluster_bootstrap", problems=len(by_problem),
            samples=samples,
        )  # fmt: skip


def score_run(engine, run_dir, run_id, *events):
    """The run as its process and supervisor leave it after these events."""
    with writing(engine) as session:
        lease = leases.claim(session, run_id, Worker(f"w-{run_id}", "h", 0), 60)
    tell(run_dir, AttemptStarted(attempt=1, resumed_from_step=-1, total_steps=5, pid=1), *events)
    ingest(engine, lease, run_dir)
    return lease


def tell(run_dir, *events):
    run_dir.mkdir(parents=True, exist_ok=True)
    writer = EventWriter(run_dir)
    writer(*events)
    writer.close()
