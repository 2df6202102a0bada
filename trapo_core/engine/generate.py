"""The reference engine: one left-padded batch with a KV cache, every token drawn by its sample's own seed.

Simple on purpose: other engines are checked against it. Nothing is cached between calls, so a weight change needs
no action.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch
from torch import Tensor
from transformers import DynamicCache

from trapo_core.engine.protocol import Completion, Key, SampleRequest, Work
from trapo_core.errors import NonFiniteError
from trapo_core.model import Policy, going_on


class GenerateEngine:
    """Completes up to `batch_size` requests from their first token to their last in each step."""

    def __init__(self, policy: Policy, batch_size: int = 256) -> None:
        self.work = Work()
        self._policy = policy
        self._batch_size = batch_size
        self._waiting: dict[Key, SampleRequest] = {}

    def submit(self, key: Key, request: SampleRequest) -> None:
        self._waiting[key] = request

    def confirm(self, key: Key) -> None:
        self._waiting[key] = replace(self._waiting[key], speculative=False)

    def cancel(self, key: Key) -> None:
        self._waiting.pop(key, None)

    def step(self) -> list[tuple[Key, Completion]]:
        order = sorted(self._waiting, key=lambda key: (self._waiting[key].speculative, key))[: self._batch_size]
        requests = [self._waiting.pop(key) for key in order]
        if not requests:
            return []
        try:
            completions = _complete_batch(self._policy, requests)
        except NonFiniteError:
            self._waiting.clear()
            raise
        lengths = [len(completion.ids) for completion in completions]
        self.work.prefill_passes += 1
        self.work.prefill_tokens += sum(len(request.ids) for request in requests)
        self.work.decode_passes += max(lengths)
        self.work.sampled_tokens += sum(lengths)
        return list(zip(order, completions, strict=True))

    def weights_changed(self) -> None:
        """Nothing is kept between calls."""

    def close(self) -> None:
        """Nothing is held."""


@torch.no_grad()
def _complete_batch(policy: Policy, requests: Sequence[SampleRequest]) -> list[Completion]:
    device = policy.device
    ids_B_T, mask_B_T = _left_padded([request.ids for request in requests], policy.pad_id, device)
    temperature_B = torch.tensor([request.temperature for request in requests], device=device)
    budget_B = [request.max_new_tokens for request in requests]
    draws = [uniform_draws(request.seed) for request in requests]
    sampled: list[list[int]] = [[] for _ in requests]
    logps: list[list[float]] = [[] for _ in requests]
    live = list(range(len(requests)))  # rows of the batch -> index of the request
    cache = DynamicCache(config=policy.model.config)
    positions_B = mask_B_T.sum(dim=1)
    positions_B_T = (mask_B_T.cumsum(dim=1) - 1).clamp(min=0)
    step_ids = ids_B_T
    while live:
        with policy.autocast():
            out = policy.model(
                input_ids=step_ids, attention_mask=mask_B_T, position_ids=positions_B_T,
                logits_to_keep=1, **going_on(policy.model, cache),
            )  # fmt: skip
        draw_B = torch.tensor([next(draws[index]) for index in live], dtype=torch.float64, device=device)
        next_B, logp_B = draw_tokens(out.logits[:, -1].float(), temperature_B, draw_B)
        keep = []
        for row, (index, token, logp) in enumerate(zip(live, next_B.tolist(), logp_B.tolist(), strict=True)):
            sampled[index].append(token)
            logps[index].append(logp)
            if token not in policy.stop_ids and len(sampled[index]) < budget_B[index]:
                keep.append(row)
        if len(keep) < len(live):
            live = [live[row] for row in keep]
            if not live:
                break
            rows = torch.tensor(keep, device=device)
            cache.batch_select_indices(rows)
            next_B, mask_B_T = next_B[rows], mask_B_T[rows]
            temperature_B, positions_B = temperature_B[rows], positions_B[rows]
        step_ids, positions_B_T = next_B[:, None], positions_B[:, None]
        positions_B = positions_B + 1
        mask_B_T = torch.cat([mask_B_T, mask_B_T.new_ones(len(live), 1)], dim=1)
    return [_completion(ids, logp, policy) for ids, logp in zip(sampled, logps, strict=True)]


def draw_tokens(logits_B_V: Tensor, temperature_B: Tensor, draw_B: Tensor) -> tuple[Tensor, Tensor]:
    """(token, log-prob) of each row by inverse distribution function at `draw_B` in [0, 1); greedy at temperature 0,
    where the log-prob is that at temperature 1. Raises NonFiniteError for logits that are not finite."""
    if not torch.isfinite(logits_B_V).all():
        raise NonFiniteError("the model's logits are not finite while sampling.", "Lower the learning rate.")
    greedy_B = temperature_B == 0
    logps_B_V = (logits_B_V / temperature_B.masked_fill(greedy_B, 1.0)[:, None]).log_softmax(dim=-1)
    cdf_B_V = logps_B_V.double().exp().cumsum(dim=-1)
    # Scaled by the last value: the float sum is not exactly 1, and a draw above it would fall off the vocabulary.
    threshold_B = draw_B * cdf_B_V[:, -1]
    sampled_B = torch.searchsorted(cdf_B_V, threshold_B[:, None], right=True).squeeze(1)
    token_B = torch.where(greedy_B, logits_B_V.argmax(dim=-1), sampled_B.clamp(max=logits_B_V.shape[-1] - 1))
    return token_B, logps_B_V.gather(1, token_B[:, None]).squeeze(1)


def uniform_draws(seed: int, block: int = 64) -> Iterator[float]:
    """Endless uniform numbers in [0, 1), a function of `seed` alone and of no device."""
    generator = torch.Generator().manual_seed(seed)
    while True:
        yield from torch.rand(block, generator=generator, dtype=torch.float64).tolist()


def _left_padded(rows: Sequence[Sequence[int]], pad_id: int, device: torch.device) -> tuple[Tensor, Tensor]:
    width = max(len(row) for row in rows)
    ids = torch.full((len(rows), width), pad_id, dtype=torch.long)
    mask = torch.zeros((len(rows), width), dtype=torch.long)
    for index, row in enumerate(rows):
        ids[index, width - len(row) :] = torch.tensor(row)
        mask[index, width - len(row) :] = 1
    return ids.to(device), mask.to(device)


def _completion(ids: list[int], logps: list[float], policy: Policy) -> Completion:
    return Completion(ids, logps, "stop" if ids and ids[-1] in policy.stop_ids else "length")
