"""From sequences to new weights: forward over the packed stream, gradients, clip, AdamW."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import cos, isfinite, pi
from statistics import fmean

import torch
from torch import Tensor

from trapo_core.batch import TokenSequence, build_sequences
from trapo_core.errors import NonFiniteError
from trapo_core.group import Group
from trapo_core.knobs import Optimizer
from trapo_core.metrics import TokenFacts
from trapo_core.model import Policy
from trapo_core.objective import batch_loss
from trapo_core.packing import BLANK, MicroBatch, packing_fill, split
from trapo_core.parallel import ALONE, World, clip_gradients
from trapo_core.stage import Stage


@dataclass(frozen=True)
class Packing:
    """How a batch is cut into micro-batches, dealt to the processes and read."""

    temperature: float
    tokens_per_microbatch: int
    recompute: bool = False  # activations in the backward pass, to save memory
    world: World = ALONE


@dataclass(frozen=True)
class Update:
    """What was learned from a batch: its sequences, the loss and gradient norm (before clipping; means, if there were
    several optimizer steps), the facts of every token, and how full the micro-batches were."""

    loss: float
    grad_norm: float
    facts: TokenFacts
    fill: float
    sequences: tuple[TokenSequence, ...]


class Learner:
    """The policy's weights in training, through one stage. `optimizers` has "main", and "failures" where buffered
    failures are learned in steps of their own."""

    def __init__(self, policy: Policy, stage: Stage, packing: Packing, max_tokens: int, reference: Policy | None):
        self._policy, self._packing, self._max_tokens, self._reference = policy, packing, max_tokens, reference
        self._settings = {"main": stage.optimizer}
        if stage.failure_buffer is not None:
            self._settings["failures"] = stage.failure_buffer.optimizer
        self.optimizers = {which: make_optimizer(policy, settings) for which, settings in self._settings.items()}

    def learn(self, plan: Stage, groups: Sequence[Group], shown: Sequence[Group], *, lr: float) -> Update:
        """One batch: by default one optimizer step. Raises NonFiniteError; the step at fault leaves no trace."""
        batches: list[list[TokenSequence]] = []
        for some, more in zip(_parts(groups, plan), _parts(shown, plan), strict=True):
            first = sum(map(len, batches))
            batches.append(self._sequences(some, more, plan, first))
        batches = self._with_logps([batch for batch in batches if batch])
        return _joined([self._update("main", batch, plan, lr) for batch in batches])

    def learn_failures(self, plan: Stage, shown: Sequence[Group]) -> Update:
        """One optimizer step of its own on whole traces (ReLIFT)."""
        return self._update("failures", self._sequences((), shown, plan, 0), plan, self._settings["failures"].lr)

    def _sequences(
        self, groups: Sequence[Group], shown: Sequence[Group], plan: Stage, first_index: int
    ) -> list[TokenSequence]:
        return build_sequences(
            groups, plan.policy, plan.expert, max_tokens=self._max_tokens, shown=shown, first_index=first_index
        )

    def _with_logps(self, batches: list[list[TokenSequence]]) -> list[list[TokenSequence]]:
        """What the losses need of other weights than those of their update: none, with one update and no KL."""
        if len(batches) > 1:
            batches = [
                [replace(one, old_logps=logps) for one, logps in self._read(self._policy, batch)] for batch in batches
            ]
        if self._reference is not None:
            batches = [
                [replace(one, reference_logps=logps) for one, logps in self._read(self._reference, batch)]
                for batch in batches
            ]
        return batches

    def _read(self, policy: Policy, batch: Sequence[TokenSequence]) -> Iterable[tuple[TokenSequence, list[float]]]:
        return zip(batch, response_logps(policy, batch, self._packing), strict=True)

    def _update(self, which: str, sequences: Sequence[TokenSequence], plan: Stage, lr: float) -> Update:
        optimizer, grad_clip = self.optimizers[which], self._settings[which].grad_clip
        optimizer.zero_grad(set_to_none=True)
        loss, facts = batch_gradients(self._policy, sequences, plan, self._packing)
        norm = clip_gradients(self._policy.parameters(), grad_clip)
        if not (isfinite(loss) and isfinite(norm)):
            raise NonFiniteError(f"loss {loss}, gradient norm {norm}.", "Lower the learning rate.")
        for group in optimizer.param_groups:
            group["lr"] = lr
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)  # the memory is the engine's until the next update
        fill = packing_fill(sequences, tokens_per_microbatch=self._packing.tokens_per_microbatch)
        return Update(loss, norm, facts, fill, tuple(sequences))


def _joined(updates: Sequence[Update]) -> Update:
    return Update(
        loss=fmean(one.loss for one in updates),
        grad_norm=fmean(one.grad_norm for one in updates),
        facts=TokenFacts.joined([one.facts for one in updates]),
        fill=fmean(one.fill for one in updates),
        sequences=tuple(sequence for one in updates for sequence in one.sequences),
    )


def _parts(groups: Sequence[Group], plan: Stage) -> list[Sequence[Group]]:
    """The groups cut into as many parts, of nearly equal size, as there are updates."""
    count = plan.updates_per_batch
    edges = [len(groups) * i // count for i in range(count + 1)]
    return [groups[begin:end] for begin, end in pairwise(edges)]


def batch_gradients(
    policy: Policy, sequences: Sequence[TokenSequence], stage: Stage, packing: Packing
) -> tuple[float, TokenFacts]:
    """Add the gradients of the whole batch to the parameters, micro-batch by micro-batch; (loss, token facts), of all
    processes together."""
    loss, facts = 0.0, []
    for part in _microbatches(sequences, packing):
        batch = part.to(policy.device)
        logp_M, entropy_M = read(policy, batch, recompute=packing.recompute)
        part_loss = batch_loss(batch, logp_M, entropy_M, stage.policy, stage.expert)
        part_loss.backward()
        loss += part_loss.item()
        facts.append(TokenFacts.of(batch, logp_M, entropy_M.detach()))
    return packing.world.total(loss), _facts_of_all(facts, packing.world)


def read(policy: Policy, batch: MicroBatch, *, recompute: bool = False) -> tuple[Tensor, Tensor]:
    """(log-prob, entropy) of every target under the policy, with gradient, in float32."""
    with policy.autocast():
        logp_M, entropy_M = policy.reader(
            batch.ids_N, batch.segments, batch.place_M, batch.targets_M, batch.temperature_M, recompute=recompute
        )
    return logp_M, entropy_M


@torch.no_grad()
def response_logps(policy: Policy, sequences: Sequence[TokenSequence], packing: Packing) -> list[list[float]]:
    """Log-probs of the response tokens of each sequence, prefix first, as the policy is now."""
    parts = (part.to(policy.device) for part in _microbatches(sequences, packing))
    facts = _facts_of_all([TokenFacts.of(part, *read(policy, part)) for part in parts], packing.world)
    logps = facts.by_sequence(facts.logp_M)
    return [logps[sequence.index].tolist() for sequence in sequences]


def make_optimizer(policy: Policy, settings: Optimizer) -> torch.optim.AdamW:
    return torch.optim.AdamW(
        policy.parameters(),
        lr=settings.lr,
        betas=settings.betas,
        eps=settings.eps,
        weight_decay=settings.weight_decay,
    )


def learning_rate(settings: Optimizer, step: int, steps: int) -> float:
    """Rate of step `step` (from 0) of a stage of `steps`: linear warm-up, then constant or a cosine down."""
    warmup = settings.warmup_share * steps
    if step < warmup:
        return settings.lr * (step + 1) / (warmup + 1)
    if settings.schedule == "constant":
        return settings.lr
    progress = (step - warmup) / max(1.0, steps - warmup)
    return settings.lr * (settings.final_ratio + (1 - settings.final_ratio) * (1 + cos(pi * progress)) / 2)


def _microbatches(sequences: Sequence[TokenSequence], packing: Packing) -> Iterator[MicroBatch]:
    return split(
        sequences,
        tokens_per_microbatch=packing.tokens_per_microbatch,
        temperature=packing.temperature,
        world=packing.world,
    )


def _facts_of_all(mine: Sequence[TokenFacts], world: World) -> TokenFacts:
    """The facts of all processes' micro-batches, without those of blanks."""
    facts = TokenFacts.joined([one for part in world.gather(mine) for one in part])
    return facts.where(facts.sequence_M != BLANK)
