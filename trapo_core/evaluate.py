"""Benchmarks: one template, one grader and independent seeds for every model; every score with its interval."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from trapo_core.compare import CONFIDENCE, metadata_of, problems_digest, setting_of, verifier_for
from trapo_core.data import Problem, load_problems
from trapo_core.engine import BatchingEngine, Completion, SampleRequest
from trapo_core.events import BenchmarkOutcomes, BenchmarkScore
from trapo_core.group import sample_seed
from trapo_core.model import Policy
from trapo_core.parallel import ALONE, World
from trapo_core.rewards import Checker, Score
from trapo_core.rollout_schema import ROWS_A_GROUP
from trapo_core.sources import DataSource, Template, template_for
from trapo_core.spec_parts import Benchmark, Reward
from trapo_core.stats import Scores, avg_at_k, cluster_bootstrap, mean, pass_at_k, wilson
from trapo_core.tokenized import check_prompts


@dataclass(frozen=True)
class LoadedBenchmark:
    """A benchmark with its problems read."""

    settings: Benchmark
    problems: list[Problem]
    template: Template


def load_benchmarks(benchmarks: Sequence[Benchmark], *, template: Template, data_dir: Path) -> list[LoadedBenchmark]:
    """Read every benchmark before anything is made or trained. Raises DataError."""
    return [
        LoadedBenchmark(benchmark, load_problems(benchmark.data, data_dir), template_for(benchmark.data, template))
        for benchmark in benchmarks
    ]


def check_benchmarks(loaded: Sequence[LoadedBenchmark], policy: Policy) -> None:
    """Raises DataError, naming the problem, if a prompt with its answer exceeds the model's context."""
    for benchmark in loaded:
        max_tokens = benchmark.settings.max_tokens
        check_prompts(benchmark.problems, policy, template=benchmark.template, max_tokens=max_tokens)


def make_checker(data: DataSource, reward: Reward) -> Checker:
    """The answer checker that fits the data."""
    return Checker(verifier_for(data), timeout_s=reward.timeout_s, processes=reward.processes)


@dataclass(frozen=True)
class Evaluated:
    """What is told of one benchmark."""

    outcomes: BenchmarkOutcomes
    scores: list[BenchmarkScore]


@dataclass(frozen=True)
class Judge:
    """How a run evaluates: its policy, checker settings and seed, and whom it tells.

    `report(stage, done, total)` counts answers; `stop()` may raise between batches. Several processes of a `world`
    share the work, each with a policy of its own.
    """

    policy: Policy
    reward: Reward
    seed: int
    batch_size: int
    report: Callable[[str, int, int], None]
    stop: Callable[[], None]
    world: World = ALONE


def run_benchmark(benchmark: LoadedBenchmark, judge: Judge, *, step: int, out_dir: Path) -> Evaluated:
    """Answer every problem `samples` times and score it. Per-item results go to out_dir/<name>.parquet.

    Seeds depend on run seed, benchmark, problem and sample, not on the step: two evaluations of one run draw alike.
    """
    settings, policy = benchmark.settings, judge.policy
    questions = [
        (request, problem.answer)
        for problem in benchmark.problems
        for request in _requests(benchmark, policy, problem, judge.seed)
    ]
    answered = judge.world.dealt(questions, lambda share: _answer(benchmark, share, judge))
    scores = [score for _, score in answered]
    if judge.world.first:
        _write_items(out_dir / f"{settings.name}.parquet", benchmark, policy, answered)
    by_problem = [
        [score.value for score in scores[i : i + settings.samples]] for i in range(0, len(scores), settings.samples)
    ]
    return Evaluated(_outcomes(benchmark, by_problem, step), score_benchmark(settings, by_problem, step))


def _answer(
    benchmark: LoadedBenchmark, questions: Sequence[tuple[SampleRequest, str]], judge: Judge
) -> list[tuple[Completion, Score]]:
    """Completions and scores in the order of the questions; answers are checked while others are being drawn."""
    settings, policy = benchmark.settings, judge.policy
    drawn: dict[int, tuple[Completion, Future[Score]]] = {}
    with (
        closing(BatchingEngine(policy, judge.batch_size)) as engine,
        make_checker(settings.data, judge.reward) as checker,
    ):
        for place, (request, _) in enumerate(questions):
            engine.submit((place,), request)
        while len(drawn) < len(questions):
            judge.stop()
            completed = engine.step()
            for (place, *_), done in completed:
                drawn[place] = (done, checker.submit(questions[place][1], policy.decode(done.ids)))
            if completed:
                judge.report(f"evaluating {settings.name}", len(drawn), len(questions))
        in_order = [drawn[place] for place in range(len(questions))]
        return [(done, score.result()) for done, score in in_order]


def score_benchmark(benchmark: Benchmark, by_problem: Scores, step: int) -> list[BenchmarkScore]:
    """avg@samples, and pass@k for each k asked for. With one sample a problem is one trial: Wilson; with several,
    problems are resampled whole."""
    samples = benchmark.samples

    def entry(metric: str, score: float, bounds: tuple[float, float], interval: str) -> BenchmarkScore:
        return BenchmarkScore.model_validate(
            {
                "step": step, "benchmark": benchmark.name, "metric": metric, "score": score, "low": bounds[0],
                "high": bounds[1], "confidence": CONFIDENCE, "interval": interval, "problems": len(by_problem),
                "samples": samples,
            }
        )  # fmt: skip

    if samples == 1:
        right = sum(scores[0] == 1 for scores in by_problem)
        return [entry("avg@1", right / len(by_problem), wilson(right, len(by_problem), CONFIDENCE), "wilson")]
    entries = [
        entry(
            f"avg@{samples}",
            avg_at_k(by_problem),
            cluster_bootstrap(by_problem, confidence=CONFIDENCE),
            "cluster_bootstrap",
        )
    ]
    for k in benchmark.pass_at:

        def passed(scores: Sequence[float], k: int = k) -> float:
            return pass_at_k(samples, sum(score == 1 for score in scores), k)

        bounds = cluster_bootstrap(by_problem, confidence=CONFIDENCE, statistic=passed)
        entries.append(entry(f"pass@{k}", mean([passed(scores) for scores in by_problem]), bounds, "cluster_bootstrap"))
    return entries


def _outcomes(benchmark: LoadedBenchmark, by_problem: Scores, step: int) -> BenchmarkOutcomes:
    return BenchmarkOutcomes(
        step=step,
        benchmark=benchmark.settings.name,
        setting=setting_of(benchmark.settings, benchmark.template),
        problems=problems_digest((problem.id, problem.prompt, problem.answer) for problem in benchmark.problems),
        samples=benchmark.settings.samples,
        right=[sum(score == 1 for score in scores) for scores in by_problem],
    )


def _requests(benchmark: LoadedBenchmark, policy: Policy, problem: Problem, seed: int) -> list[SampleRequest]:
    settings = benchmark.settings
    prompt = tuple(policy.prompt_ids(problem.prompt, benchmark.template))
    return [
        SampleRequest(
            prompt,
            sample_seed(seed, settings.name, problem.id, sample),
            settings.max_tokens,
            settings.temperature,
            family=problem.id,
        )
        for sample in range(settings.samples)
    ]


def _write_items(
    path: Path, benchmark: LoadedBenchmark, policy: Policy, answered: Sequence[tuple[Completion, Score]]
) -> None:
    samples = benchmark.settings.samples
    rows = [
        {
            "problem": benchmark.problems[i // samples].id, "sample": i % samples,
            "prompt": benchmark.problems[i // samples].prompt, "answer": benchmark.problems[i // samples].answer,
            "completion": policy.decode(completion.ids), "tokens": len(completion.ids), "finish": completion.finish,
            "score": score.value, "outcome": score.outcome,
        }
        for i, (completion, score) in enumerate(answered)
    ]  # fmt: skip
    path.parent.mkdir(parents=True, exist_ok=True)
    table = pa.Table.from_pylist(rows).replace_schema_metadata(metadata_of(benchmark.settings, benchmark.template))
    pq.write_table(table, path, row_group_size=ROWS_A_GROUP, compression="zstd")
