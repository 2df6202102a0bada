"""From sequences to new weights: forward over the packed stream, gradients, clip, AdamW."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import cos, isfinite, pi

import torch
from torch import Tensor

from trapo_core.attention import packed_hidden
from trapo_core.batch import MicroBatch, TokenSequence, packing_fill, split
from trapo_core.errors import NonFiniteError
from trapo_core.knobs import Optimizer
from trapo_core.lm_head import token_logps
from trapo_core.metrics import TokenFacts
from trapo_core.model import Policy
from trapo_core.objective import batch_loss
from trapo_core.spec import Stage


@dataclass(frozen=True)
class Packing:
    """How a batch is cut into micro-batches and read."""

    temperature: float
    tokens_per_microbatch: int
    recompute: bool = False  # activations in the backward pass, to save memory


@dataclass(frozen=True)
class Update:
    """One optimizer step: the loss before it, the gradient norm before clipping, the facts of every token, and how
    full the micro-batches were."""

    loss: float
    grad_norm: float
    facts: TokenFacts
    fill: float


def update(
    policy: Policy,
    optimizer: torch.optim.Optimizer,
    sequences: Sequence[TokenSequence],
    stage: Stage,
    packing: Packing,
    *,
    lr: float,
    grad_clip: float,
) -> Update:
    """One AdamW step on the whole batch. Raises NonFiniteError, with weights and moments untouched."""
    optimizer.zero_grad(set_to_none=True)
    loss, facts = batch_gradients(policy, sequences, stage, packing)
    norm = torch.nn.utils.clip_grad_norm_(policy.parameters(), grad_clip).item()
    if not (isfinite(loss) and isfinite(norm)):
        raise NonFiniteError(f"loss {loss}, gradient norm {norm}.", "Lower the learning rate.")
    for group in optimizer.param_groups:
        group["lr"] = lr
    optimizer.step()
    fill = packing_fill(sequences, tokens_per_microbatch=packing.tokens_per_microbatch)
    return Update(loss, norm, facts, fill)


def batch_gradients(
    policy: Policy, sequences: Sequence[TokenSequence], stage: Stage, packing: Packing
) -> tuple[float, TokenFacts]:
    """Add the gradients of the whole batch to the parameters, micro-batch by micro-batch; (loss, token facts)."""
    loss, facts = 0.0, []
    for part in _parts(sequences, packing):
        batch = part.to(policy.device)
        logp_M, entropy_M = read(policy, batch, recompute=packing.recompute)
        part_loss = batch_loss(batch, logp_M, entropy_M, stage.policy, stage.expert)
        part_loss.backward()
        loss += part_loss.item()
        facts.append(TokenFacts.of(batch, logp_M, entropy_M.detach()))
    return loss, TokenFacts.joined(facts)


def read(policy: Policy, batch: MicroBatch, *, recompute: bool = False) -> tuple[Tensor, Tensor]:
    """(log-prob, entropy) of every target under the policy, with gradient, in float32."""
    head = policy.model.get_output_embeddings()
    with policy.autocast():
        hidden_N_D = packed_hidden(policy.model, batch.ids_N, batch.segments, recompute=recompute)
        hidden_M_D = hidden_N_D.index_select(0, batch.place_M)
        return token_logps(hidden_M_D, head.weight, batch.targets_M, batch.temperature_M, bias_V=head.bias)


@torch.no_grad()
def response_logps(policy: Policy, sequences: Sequence[TokenSequence], packing: Packing) -> list[list[float]]:
    """Log-probs of the response tokens of each sequence, prefix first, as the policy is now."""
    facts = TokenFacts.joined(
        [
            TokenFacts.of(batch, *read(policy, batch))
            for batch in (part.to(policy.device) for part in _parts(sequences, packing))
        ]
    )
    return [part.tolist() for part in facts.by_sequence(facts.logp_M, sequences)]


def with_logps(
    sequences: Sequence[TokenSequence], *, old: Sequence[list[float]] | None, reference: Sequence[list[float]] | None
) -> list[TokenSequence]:
    """The sequences with the log-probs before the first update of their batch, and of the reference policy."""
    return [
        replace(
            sequence,
            old_logps=old[place] if old is not None else None,
            reference_logps=reference[place] if reference is not None else None,
        )
        for place, sequence in enumerate(sequences)
    ]


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


def _parts(sequences: Sequence[TokenSequence], packing: Packing) -> list[MicroBatch]:
    parts = split(
        sequences, tokens_per_microbatch=packing.tokens_per_microbatch, temperature=packing.temperature
    )
    return list(parts)
