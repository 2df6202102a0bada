"""The training loop, read from top to bottom: guided groups, one batch, one optimizer step, and so on.

A step is atomic. Killed anywhere, a run resumes from its last checkpoint and, on a CPU, ends in the same bits as one
that was never killed: seeds, data order and learning rate are functions of the step.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from math import cos, isfinite, pi
from pathlib import Path

import torch
from torch import Tensor

from trapo_core import checkpoint
from trapo_core.batch import MicroBatch, TokenSequence, build_sequences, split
from trapo_core.checkpoint import Saved, TrainerState
from trapo_core.data import training_problems
from trapo_core.engine import GenerateEngine, Waves
from trapo_core.errors import NonFiniteError, RewardError
from trapo_core.evaluate import (
    Judge,
    LoadedBenchmark,
    check_benchmarks,
    load_benchmarks,
    make_checker,
    run_benchmark,
    template_for,
)  # fmt: skip
from trapo_core.events import (
    CheckpointSaved,
    GuidanceDone,
    Message,
    RolloutsWritten,
    StepDone,
    StepSkipped,
    read_events,
)  # fmt: skip
from trapo_core.group import Group, GroupContext, run_group, tokenize_problem
from trapo_core.kernels import expert_loss
from trapo_core.lm_head import token_logps
from trapo_core.losses import policy_loss
from trapo_core.metrics import DEFAULT_ALPHA, TokenFacts, group_metrics, prefix_lengths, slot_outcomes, token_metrics
from trapo_core.model import Policy, load_policy
from trapo_core.places import Places
from trapo_core.prepare import check_fits, choose_device, load_base, problems_of_step
from trapo_core.process import Attempt
from trapo_core.rollout_files import write_rollouts
from trapo_core.spec import ExpertTerm, Optimizer, Stage, TrainSpec

# After so many steps in a row whose loss or gradient is not finite, going on would be guessing.
MAX_SKIPPED_IN_A_ROW = 3
MAX_UNCHECKED_SHARE = 0.5


def train(spec: TrainSpec, run_dir: Path, places: Places, attempt: Attempt) -> int:
    """Run (or resume) a training run to its end; returns the steps taken.

    Everything the world learns goes through `attempt.report`; `attempt.stop_if_asked()` ends the run between steps,
    with a checkpoint. Raises TrapoError for all that is known to go wrong.
    """
    # ------------------------------------------------------------------------------- everything is checked first
    device = choose_device(spec.resources)
    problems = training_problems(spec, places.data_dir)
    benchmarks = load_benchmarks(spec.evaluation.benchmarks, template=spec.template, data_dir=places.data_dir)
    saved = checkpoint.latest(run_dir)
    state = checkpoint.load_state(saved, spec) if saved else TrainerState()
    attempt.step = state.step
    attempt.started(resumed_from_step=saved.step if saved else -1, total_steps=spec.total_steps)
    for text in spec.warnings():
        attempt.report(Message(level="warning", text=text))
    if saved:
        _catch_up(run_dir, spec, saved, state, attempt)
        policy = load_policy(saved.folder, device=device, dtype=getattr(torch, spec.dtype))
    else:
        policy = load_base(
            spec, places, run_dir, problems, device, progress=attempt.progress, stop=attempt.stop_if_asked
        )
    check_fits(spec, policy, problems)
    check_benchmarks(benchmarks, policy)
    template = template_for(spec.data, spec.template)
    max_tokens = spec.sampling.max_tokens
    engine = Waves(GenerateEngine(policy, spec.sampling.batch_size))
    judge = Judge(policy, spec.reward, spec.seed, spec.evaluation.batch_size, attempt.progress, attempt.stop_if_asked)
    evaluate = partial(_evaluate, spec, run_dir, benchmarks, judge, state, attempt)
    policy.model.eval()  # no dropout: the trainer must see the distribution that was sampled from

    with make_checker(spec.data, spec.reward) as checker, asyncio.Runner() as runner:
        for stage in spec.stages():
            if state.step >= stage.first_step + stage.steps:
                continue
            optimizer = _make_optimizer(policy, stage.optimizer)
            if saved and state.step > stage.first_step:
                checkpoint.load_optimizer(saved, policy, optimizer)

            save = partial(_save, run_dir, spec, policy, optimizer, state, attempt)
            while state.step < stage.first_step + stage.steps:
                # ------------------------------------------------- now and then: score what the model can do so far
                if _evaluation_is_due(spec, state):
                    if state.step:
                        save()  # an evaluation may take long, and whoever ends it then loses nothing
                    evaluate()
                # A stop is obeyed here, between two steps, and never loses work.
                if attempt.stop_asked():
                    save()
                    attempt.stop_if_asked()

                # ------------------------------------------------------------------ rollouts: one group a problem
                began = time.monotonic()
                step = state.step + 1
                chosen = problems_of_step(
                    problems, seed=spec.seed, first=_problems_before(spec, state.step), count=stage.prompts_per_step
                )
                tokenized = [
                    tokenize_problem(problem, policy, template=template, guidance=stage.guidance, max_tokens=max_tokens)
                    for problem in chosen
                ]
                context = GroupContext(
                    guidance=stage.guidance, policy=policy, engine=engine, checker=checker, seed=spec.seed, step=step,
                    temperature=spec.sampling.temperature, max_tokens=max_tokens,
                )  # fmt: skip
                try:
                    groups: list[Group] = runner.run(
                        engine.run([run_group(context, problem, index) for index, problem in enumerate(tokenized)])
                    )
                    _refuse_made_up_rewards(groups)
                    rolled_out = time.monotonic()

                    # ------------------------------------------------------ one batch, one update of the weights
                    sequences = build_sequences(groups, stage.policy, stage.expert, max_tokens=max_tokens)
                    lr = _learning_rate(stage.optimizer, state.step - stage.first_step, stage.steps)
                    update = _update(policy, optimizer, sequences, stage, spec, lr=lr)
                except NonFiniteError as error:
                    _skip(state, step, error, attempt)
                    continue
                engine.weights_changed()
                state.step, state.skipped_in_a_row, attempt.step = step, 0, step
                updated = time.monotonic()

                # ------------------------------------------------------------------------------ tell the world
                path, rows = write_rollouts(run_dir, step, groups, sequences, update.facts, policy)
                attempt.report(RolloutsWritten(step=step, path=path, rows=rows))
                attempt.report(
                    GuidanceDone(
                        step=step,
                        slots=slot_outcomes(groups, stage.guidance),
                        prefix_lengths=prefix_lengths(groups, max_tokens),
                    )
                )
                seconds = time.monotonic() - began
                metrics = {
                    **group_metrics(groups, stage.guidance),
                    **token_metrics(update.facts, _trust_region(stage.expert)),
                    "policy/loss": update.loss,
                    "policy/grad_norm": update.grad_norm,
                    "optimizer/lr": lr,
                    "steps/skipped": float(state.skipped),
                    "time/rollout_s": rolled_out - began,
                    "time/reward_s": engine.take_idle_seconds(),
                    "time/update_s": updated - rolled_out,
                    "throughput/tokens_per_s": len(update.facts.logp_M) / seconds,
                }
                attempt.report(StepDone(step=step, seconds=seconds, metrics=metrics))

                # ------------------------------------------------------------------- every so often: a checkpoint
                if step % spec.checkpoints.every_steps == 0:
                    save()
            save()
        if _evaluation_is_due(spec, state):
            evaluate()
    return state.step


@dataclass(frozen=True)
class Update:
    """One optimizer step: the loss before it, the gradient norm before clipping, and the facts of every token."""

    loss: float
    grad_norm: float
    facts: TokenFacts


def batch_loss(
    batch: MicroBatch, logp_M: Tensor, expert: Sequence[ExpertTerm], clip: tuple[float, float] | None
) -> Tensor:
    """The part of the loss that this micro-batch holds; parts add up to the whole whatever the split.

    Own tokens: w·(-A·r), with the log-probs before the step as the old ones (one optimizer step a batch, so r = 1).
    Expert tokens: -w·k(p)·log p for each term.
    """
    loss = (policy_loss(logp_M, logp_M.detach(), batch.advantage_M, clip) * batch.policy_M).sum()
    for term, weight_M in zip(expert, batch.expert_K_M, strict=True):
        loss = loss + (expert_loss(term.kernel, logp_M, **term.kernel_params) * weight_M).sum()
    return loss


def batch_gradients(
    policy: Policy, sequences: Sequence[TokenSequence], stage: Stage, *, temperature: float, tokens_per_microbatch: int
) -> tuple[float, TokenFacts]:
    """Add the gradients of the whole batch to the parameters, micro-batch by micro-batch; (loss, token facts)."""
    loss, facts = 0.0, []
    for part in split(
        sequences, tokens_per_microbatch=tokens_per_microbatch, temperature=temperature, pad_id=policy.pad_id
    ):
        batch = part.to(policy.device)
        with policy.autocast():
            logits_B_T_V = policy.model(input_ids=batch.ids_B_T, use_cache=False).logits
        logits_M_V = logits_B_T_V[batch.row_M, batch.column_M]
        logp_M, entropy_M = token_logps(logits_M_V, batch.targets_M, batch.temperature_M)
        part_loss = batch_loss(batch, logp_M, stage.expert, stage.policy.clip)
        part_loss.backward()
        loss += part_loss.item()
        facts.append(TokenFacts.of(batch, logp_M, entropy_M))
    return loss, TokenFacts.joined(facts)


def _update(
    policy: Policy, optimizer: torch.optim.Optimizer, sequences: Sequence[TokenSequence], stage: Stage, spec: TrainSpec,
    *, lr: float,
) -> Update:  # fmt: skip
    """One AdamW step on the whole batch. Raises NonFiniteError, with weights and moments untouched."""
    optimizer.zero_grad(set_to_none=True)
    loss, facts = batch_gradients(
        policy, sequences, stage,
        temperature=spec.sampling.temperature, tokens_per_microbatch=spec.tokens_per_microbatch,
    )  # fmt: skip
    norm = torch.nn.utils.clip_grad_norm_(policy.model.parameters(), stage.optimizer.grad_clip).item()
    if not (isfinite(loss) and isfinite(norm)):
        raise NonFiniteError(f"loss {loss}, gradient norm {norm}.", "Lower the learning rate.")
    for group in optimizer.param_groups:
        group["lr"] = lr
    optimizer.step()
    return Update(loss, norm, facts)


def _refuse_made_up_rewards(groups: Sequence[Group]) -> None:
    """One answer may break its check and counts as wrong; raises RewardError where most do: that is no training."""
    outcomes = [rollout.outcome for group in groups for rollout in group.rollouts]
    late = outcomes.count("timeout")
    failed = outcomes.count("error") + late
    if failed > MAX_UNCHECKED_SHARE * len(outcomes):
        raise RewardError(
            f"{failed} of {len(outcomes)} answers of a step could not be checked ({late} took too long).",
            "Check the reference answers, or raise reward.timeout_s or reward.processes.",
        )


def _make_optimizer(policy: Policy, settings: Optimizer) -> torch.optim.AdamW:
    return torch.optim.AdamW(
        policy.model.parameters(),
        lr=settings.lr,
        betas=settings.betas,
        eps=settings.eps,
        weight_decay=settings.weight_decay,
    )


def _learning_rate(settings: Optimizer, step: int, steps: int) -> float:
    """Rate of step `step` (from 0) of a stage of `steps`: linear warm-up, then constant or a cosine down."""
    warmup = settings.warmup_share * steps
    if step < warmup:
        return settings.lr * (step + 1) / (warmup + 1)
    if settings.schedule == "constant":
        return settings.lr
    progress = (step - warmup) / max(1.0, steps - warmup)
    return settings.lr * (settings.final_ratio + (1 - settings.final_ratio) * (1 + cos(pi * progress)) / 2)


def _trust_region(expert: Sequence[ExpertTerm]) -> float:
    """The alpha against which expert tokens are counted; methods without a trust region are measured by the paper's."""
    return next((term.alpha for term in expert if term.kernel == "trsft"), DEFAULT_ALPHA)


def _problems_before(spec: TrainSpec, step: int) -> int:
    """How many problems all earlier steps took: the place in the data stream."""
    return sum(max(0, min(step - stage.first_step, stage.steps)) * stage.prompts_per_step for stage in spec.stages())


def _evaluation_is_due(spec: TrainSpec, state: TrainerState) -> bool:
    return state.evaluated_step != state.step and bool(spec.evaluation.due(state.step, spec.total_steps))


def _evaluate(
    spec: TrainSpec,
    run_dir: Path,
    benchmarks: Sequence[LoadedBenchmark],
    judge: Judge,
    state: TrainerState,
    attempt: Attempt,
) -> None:
    """All benchmarks that are due; their scores are told at once, so that an evaluation cut short tells none."""
    out_dir = run_dir / "evaluations" / f"step-{state.step:06d}"
    due = spec.evaluation.due(state.step, spec.total_steps)
    loaded = [benchmark for benchmark in benchmarks if benchmark.settings in due]
    scores = [run_benchmark(benchmark, judge, step=state.step, out_dir=out_dir) for benchmark in loaded]
    attempt.report(*chain.from_iterable(scores))
    state.evaluated_step = state.step
    checkpoint.update_state(run_dir, spec, state)


def _save(
    run_dir: Path,
    spec: TrainSpec,
    policy: Policy,
    optimizer: torch.optim.Optimizer,
    state: TrainerState,
    attempt: Attempt,
) -> None:
    if (last := checkpoint.latest(run_dir)) and last.step == state.step:
        return
    attempt.sync()  # a checkpoint must not outlive the events of its steps
    saved = checkpoint.save(run_dir, spec, policy, optimizer, state)
    _tell(saved, run_dir, attempt)
    checkpoint.prune(run_dir, spec.checkpoints.keep_last)


def _tell(saved: Saved, run_dir: Path, attempt: Attempt) -> None:
    path = str(saved.folder.relative_to(run_dir))
    attempt.report(CheckpointSaved(step=saved.step, path=path, bytes=saved.bytes, sha256=saved.sha256))


def _catch_up(run_dir: Path, spec: TrainSpec, saved: Saved, state: TrainerState, attempt: Attempt) -> None:
    """A process may die between a deed and its telling. Tell a checkpoint that nobody heard of; do not repeat an
    evaluation whose scores were told but not yet noted in the checkpoint."""
    told = {(event.type, event.step) for event in read_events(run_dir) if event.type in ("checkpoint", "score")}
    if ("checkpoint", saved.step) not in told:
        _tell(saved, run_dir, attempt)
    if ("score", saved.step) in told:
        state.evaluated_step = saved.step
        checkpoint.update_state(run_dir, spec, state)


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
