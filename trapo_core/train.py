"""The training loop, read from top to bottom: guided groups, one batch, one optimizer step, and so on.

A step is atomic. Killed anywhere, a run resumes from its last checkpoint and, on a CPU, ends in the same bits as one
that was never killed: seeds, data order and learning rate are functions of the step.
"""

import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from itertools import chain
from pathlib import Path

from trapo_core import checkpoint
from trapo_core.alarms import alarms
from trapo_core.checkpoint import TrainerState
from trapo_core.collect import Collected, Collector, plan_step, supervised_probability
from trapo_core.data import demonstration_problems, training_problems
from trapo_core.engine import BatchingEngine, Engine, GenerateEngine, VllmEngine, Work
from trapo_core.errors import NonFiniteError
from trapo_core.evaluate import (
    Judge,
    LoadedBenchmark,
    check_benchmarks,
    load_benchmarks,
    make_checker,
    run_benchmark,
)  # fmt: skip
from trapo_core.events import GuidanceDone, Message, RolloutsWritten, StepDone, StepSkipped
from trapo_core.knobs import ExpertTerm
from trapo_core.metrics import DEFAULT_ALPHA, group_metrics, own_tokens, prefix_lengths, slot_outcomes, token_metrics
from trapo_core.model import Policy
from trapo_core.parallel import ALONE, World
from trapo_core.places import Places
from trapo_core.prepare import check_fits, check_world, choose_device, load_trained
from trapo_core.problem_facts import ProblemFacts, expert_tokens
from trapo_core.process import Attempt, StopRequested
from trapo_core.reference import load_reference
from trapo_core.rollout_files import write_rollouts
from trapo_core.saver import Saver
from trapo_core.sources import template_for
from trapo_core.spec import TrainSpec
from trapo_core.spec_parts import Sampling
from trapo_core.stage import Stage
from trapo_core.update import Learner, Packing, Update, learning_rate

# After so many steps in a row whose loss or gradient is not finite, going on would be guessing.
MAX_SKIPPED_IN_A_ROW = 3


def train(spec: TrainSpec, run_dir: Path, places: Places, attempt: Attempt, world: World = ALONE) -> int:
    """Run (or resume) a training run to its end; returns the steps taken.

    Everything the world learns goes through `attempt.report`; a stop that was asked for ends the run between steps,
    with a checkpoint. Several processes go through this together, each with its own `world`; what they decide is
    decided alike. Raises TrapoError for all that is known to go wrong.
    """
    # ------------------------------------------------------------------------------- everything is checked first
    device = choose_device(spec.resources, world)
    check_world(spec, world)
    problems = training_problems(spec, places.data_dir)
    demonstrations = demonstration_problems(spec, problems, places.data_dir)
    benchmarks = load_benchmarks(spec.evaluation.benchmarks, template=spec.template, data_dir=places.data_dir)
    saved = world.led(lambda: checkpoint.latest(run_dir))
    state = checkpoint.load_state(saved, spec) if saved else TrainerState()
    attempt.step = state.step
    attempt.started(resumed_from_step=saved.step if saved else -1, total_steps=spec.total_steps)
    for text in spec.warnings():
        attempt.report(Message(level="warning", text=text))
    saver = Saver(run_dir, spec, state, attempt, world)
    if saved:
        saver.begin(saved)
    policy = load_trained(
        spec, places, run_dir, problems, device, saved, progress=attempt.progress, stop=attempt.stop_if_asked
    )
    check_fits(spec, policy, [*problems, *demonstrations])
    check_benchmarks(benchmarks, policy)
    template = template_for(spec.data, spec.template)
    packing = Packing(spec.sampling.temperature, spec.tokens_per_microbatch, spec.gradient_checkpointing, world)
    policy.model.eval()  # no dropout: the trainer must see the distribution that was sampled from
    sampler = world.sampler(policy)
    world.shard(policy)
    batch_size, tell, stop = spec.evaluation.batch_size, attempt.progress, attempt.stop_if_asked
    judge = Judge(sampler, spec.reward, spec.seed, batch_size, tell, stop, world)

    warned: set[str] = set()
    problem_facts = ProblemFacts(problems)

    with (
        make_checker(spec.data, spec.reward) as checker,
        closing(make_engine(sampler, spec.sampling)) as engine,
        saver,
    ):
        collector = Collector(spec, sampler, engine, checker, problems, demonstrations, template, world)
        for stage in spec.stages():
            if state.step >= stage.first_step + stage.steps:
                continue
            reference = load_reference(run_dir, stage, state, policy, world)
            learner = Learner(policy, stage, packing, spec.sampling.max_tokens, reference)
            if saved and state.step > stage.first_step:
                checkpoint.load_optimizers(saved, policy, learner.optimizers)

            save = partial(saver.save, policy, learner.optimizers)
            while state.step < stage.first_step + stage.steps:
                # ------------------------------------------------- now and then: score what the model can do so far
                if due := _due(spec, state, benchmarks):
                    if state.step:
                        save()  # an evaluation may take long, and whoever ends it then loses nothing
                    _evaluate(run_dir, due, judge, state, attempt, saver)
                # A stop is obeyed here, between two steps, and never loses work.
                if world.any(attempt.stop_asked()):
                    save()
                    raise StopRequested("asked to stop.")

                # ------------------------------------------------------------------ rollouts: one group a problem
                began, before = time.monotonic(), replace(engine.work)
                plan, step = plan_step(stage, state, spec.seed), state.step + 1
                lr = learning_rate(stage.optimizer, state.step - stage.first_step, stage.steps)
                try:
                    collected = collector.collect(plan, state)
                    rolled_out = time.monotonic()

                    # ----------------------------------------------------- one batch, by default one optimizer step
                    update = learner.learn(plan, collected.learned, collected.shown, lr=lr)
                except NonFiniteError as error:
                    world.renew(sampler, policy)  # the fault may lie behind an update that was made
                    engine.weights_changed()
                    _skip(state, step, error, attempt)
                    continue
                failure_metrics = _learn_failures(learner, collector, plan, state, attempt)
                world.renew(sampler, policy)
                engine.weights_changed()
                _note_norms(state, stage, plan, update)
                state.step, state.skipped_in_a_row, attempt.step = step, 0, step
                updated = time.monotonic()

                # ------------------------------------------------------------------------------ tell the world
                work = Work.total(world.gather(engine.work.since(before)))
                seconds = time.monotonic() - began
                times = {
                    "time/rollout_s": rolled_out - began,
                    "time/reward_s": collected.waited_s,
                    "time/update_s": updated - rolled_out,
                    "throughput/tokens_per_s": len(update.facts.logp_M) / seconds,
                }
                if world.first:
                    _tell_rollouts(run_dir, step, collected, update, policy, attempt)
                    _tell_guidance(spec, step, plan, collected, update, problem_facts, attempt)
                    metrics = {
                        **_step_metrics(stage, plan, state, collected, update),
                        **_work_metrics(work, collected),
                        **failure_metrics,
                        **times,
                        "optimizer/lr": lr,
                    }
                    attempt.report(StepDone(step=step, seconds=time.monotonic() - began, metrics=metrics))
                    _warn(metrics, warned, attempt)

                # ------------------------------------------------------------------- every so often: a checkpoint
                saver.look()
                if step % spec.checkpoints.every_steps == 0:
                    save()
            save()
        if due := _due(spec, state, benchmarks):
            _evaluate(run_dir, due, judge, state, attempt, saver)
    return state.step


def make_engine(policy: Policy, sampling: Sampling) -> Engine:
    """The engine that the spec names."""
    if sampling.engine == "vllm":
        return VllmEngine(policy, sampling.vllm, sampling.batch_size)
    engines: dict[str, type[BatchingEngine] | type[GenerateEngine]]
    engines = {"batching": BatchingEngine, "generate": GenerateEngine}
    return engines[sampling.engine](policy, sampling.batch_size)


def _warn(metrics: dict[str, float], warned: set[str], attempt: Attempt) -> None:
    """Say what the curves of a step give cause for, each thing once."""
    for name, text in alarms(metrics).items():
        if name not in warned:
            warned.add(name)
            attempt.report(Message(level="warning", text=text))


def _learn_failures(
    learner: Learner, collector: Collector, plan: Stage, state: TrainerState, attempt: Attempt
) -> dict[str, float]:
    """A step of its own on buffered failures, when there are enough; one that is not finite is left out, and said."""
    if not (failures := collector.failures(plan, state)):
        return {}
    try:
        update = learner.learn_failures(plan, failures)
    except NonFiniteError as error:
        attempt.report(Message(level="warning", text=f"a step on buffered failures was left out: {error.message}"))
        return {}
    return {"failures/loss": update.loss, "failures/grad_norm": update.grad_norm}


def _note_norms(state: TrainerState, stage: Stage, plan: Stage, update: Update) -> None:
    """The gradient norms that an alternating method decides by: of the last supervised step, of the warm start."""
    if plan.policy.weight == 0:
        state.supervised_norm = update.grad_norm
        if stage.alternate is None:
            state.warm_norm = update.grad_norm


def _tell_rollouts(
    run_dir: Path, step: int, collected: Collected, update: Update, policy: Policy, attempt: Attempt
) -> None:
    """The rollouts of a step as a file."""
    groups = [*collected.rolled, *collected.shown]
    path, rows = write_rollouts(run_dir, step, groups, update.sequences, update.facts, policy)
    attempt.report(RolloutsWritten(step=step, path=path, rows=rows))


def _tell_guidance(
    spec: TrainSpec, step: int, plan: Stage, collected: Collected, update: Update, problem_facts: ProblemFacts,
    attempt: Attempt,
) -> None:  # fmt: skip
    """Where the prefixes of a step ended, what each problem needed, and how likely the expert's tokens were."""
    event = GuidanceDone(
        step=step,
        slots=slot_outcomes(collected.rolled, plan.guidance),
        prefix_lengths=prefix_lengths(collected.rolled, spec.sampling.max_tokens),
        problems=problem_facts.of(collected.rolled, plan.guidance),
        expert_tokens=expert_tokens(update.facts, _trust_region(plan.expert)),
    )
    attempt.report(event)


def _step_metrics(
    stage: Stage, plan: Stage, state: TrainerState, collected: Collected, update: Update
) -> dict[str, float]:
    """The curves of what was sampled and learned."""
    return {
        **group_metrics(collected.rolled, plan.guidance),
        **token_metrics(update.facts, _trust_region(stage.expert)),
        **_method_metrics(stage, state, collected),
        "policy/loss": update.loss,
        "policy/grad_norm": update.grad_norm,
        "steps/skipped": float(state.skipped),
        "throughput/packing_fill": update.fill,
    }


def _work_metrics(work: Work, collected: Collected) -> dict[str, float]:
    return {
        "engine/decode_passes": float(work.decode_passes),
        "engine/prefill_tokens": float(work.prefill_tokens),
        "engine/sampled_tokens": float(work.sampled_tokens),
        "engine/discarded_tokens": float(work.sampled_tokens - own_tokens(collected.rolled)),
    }


def _method_metrics(stage: Stage, state: TrainerState, collected: Collected) -> dict[str, float]:
    """Curves that only some methods have."""
    found = {}
    if stage.refill is not None:
        found["groups/refilled"] = len(collected.rolled) / stage.prompts_per_step - 1
    if stage.failure_buffer is not None:
        found["failures/waiting"] = float(len(state.failed_ids))
    if stage.alternate is not None:
        found["supervised/probability"] = supervised_probability(stage, state)
    if stage.fallback is not None:
        found["groups/fallback"] = len(collected.shown) / stage.prompts_per_step
    return found


def _trust_region(expert: Sequence[ExpertTerm]) -> float:
    """The alpha against which expert tokens are counted; methods without a trust region are measured by the paper's."""
    return next((term.alpha for term in expert if term.kernel == "trsft"), DEFAULT_ALPHA)


def _due(spec: TrainSpec, state: TrainerState, benchmarks: Sequence[LoadedBenchmark]) -> list[LoadedBenchmark]:
    """What to score before the next step; nothing if that is done."""
    if state.evaluated_step == state.step:
        return []
    due = spec.evaluation.due(state.step, spec.total_steps)
    return [benchmark for benchmark in benchmarks if benchmark.settings in due]


def _evaluate(
    run_dir: Path,
    benchmarks: Sequence[LoadedBenchmark],
    judge: Judge,
    state: TrainerState,
    attempt: Attempt,
    saver: Saver,
) -> None:
    """All these benchmarks; their scores are told at once, so that an evaluation cut short tells none."""
    saver.settle()
    out_dir = run_dir / "evaluations" / f"step-{state.step:06d}"
    told = [run_benchmark(benchmark, judge, step=state.step, out_dir=out_dir) for benchmark in benchmarks]
    scores = list(chain.from_iterable(one.scores for one in told))
    attempt.report(*(one.outcomes for one in told), *scores)
    saver.evaluated(scores)


def _skip(state: TrainerState, step: int, error: NonFiniteError, attempt: Attempt) -> None:
    """Leave the weights as they are and go on with the next problems; give up after a few in a row."""
    state.step, attempt.step = step, step
    state.skipped += 1
    state.skipped_in_a_row += 1
    attempt.report(StepSkipped(step=step, in_a_row=state.skipped_in_a_row, message=error.message))
    if state.skipped_in_a_row >= MAX_SKIPPED_IN_A_ROW:
        raise NonFiniteError(
            f"{state.skipped_in_a_row} steps in a row were not finite; the last: {error.message}", error.hint
        )
