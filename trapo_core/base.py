"""The small world's base model: pre-trained here in about a minute, on first use, and kept.

The recipe makes a model that computes well at every length but points to the right label only in short chains, and
that mostly guesses long ones: reinforcement alone then explores too little, which is the case TRAPO is for. The share
of long traces in the first phase is what sets the difficulty.
"""

import random
from collections.abc import Callable
from math import cos, pi
from pathlib import Path

import torch
from filelock import FileLock
from torch import Tensor
from torch.nn.functional import cross_entropy
from transformers import PreTrainedTokenizerFast
from transformers.models.qwen2 import Qwen2ForCausalLM

from trapo_core import arithmetic
from trapo_core.model import new_qwen2, publish, small_world_tokenizer
from trapo_core.sources import SmallWorldModel

LR, WARMUP_STEPS, FINAL_RATIO, WEIGHT_DECAY, BETAS = 4e-3, 50, 0.02, 0.01, (0.9, 0.98)
SHORT_BATCH, LONG_BATCH = 128, 64
FIRST_PHASE, LONG_SHARE_1, LONG_SHARE_2 = 0.85, 0.35, 0.35
# A new recipe must not find the old one's model.
RECIPE = 1

Report = Callable[[int, int], None]
Example = tuple[str, str]  # prompt, answer part without the end token


def small_world_base(source: SmallWorldModel, models_dir: Path, report: Report, stop: Callable[[], None]) -> Path:
    """The folder of the base model that `source` describes; made now if it is missing.

    Two processes that need it at once make it once: the second waits. `report(done, total)` is called as it goes;
    `stop()` may raise to give up, and nothing half-made stays.
    """
    folder = models_dir / f"small-world-{RECIPE}-seed{source.seed}-steps{source.steps}"
    models_dir.mkdir(parents=True, exist_ok=True)
    with FileLock(models_dir / f".{folder.name}.lock"):
        if not folder.exists():
            tokenizer = small_world_tokenizer()
            model = new_qwen2(tokenizer, hidden_size=64, layers=2, heads=4, context=source.context, seed=source.seed)
            pretrain(model, tokenizer, source, report, stop)
            publish(folder, model, tokenizer)
    return folder


def pretrain(
    model: Qwen2ForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    source: SmallWorldModel,
    report: Report,
    stop: Callable[[], None],
) -> None:
    """Token-mean NLL on the answer parts of freshly drawn examples, AdamW with warm-up and cosine."""
    rng = random.Random(f"base-{source.seed}")
    memorised = arithmetic.facts()
    optimizer = torch.optim.AdamW(model.parameters(), lr=LR, betas=BETAS, weight_decay=WEIGHT_DECAY)
    model.train()
    for step in range(source.steps):
        stop()
        for group in optimizer.param_groups:
            group["lr"] = LR * _schedule(step, source.steps)
        loss = _loss(model, tokenizer, _batch(rng, memorised, step / source.steps))
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        report(step + 1, source.steps)
    model.eval()


def _schedule(step: int, total: int) -> float:
    warm = min(1.0, (step + 1) / WARMUP_STEPS)
    return warm * (FINAL_RATIO + (1 - FINAL_RATIO) * 0.5 * (1 + cos(pi * step / total)))


def _batch(rng: random.Random, memorised: list[Example], progress: float) -> list[Example]:
    """A batch of one kind of length, so that little is padded: long chains, or short chains with facts."""
    first = progress < FIRST_PHASE
    if rng.random() < (LONG_SHARE_1 if first else LONG_SHARE_2):
        return [_chain_example(rng, 5, 12, traced=first) for _ in range(LONG_BATCH)]
    direct_share, direct_ops = (0.08, 2) if first else (0.56, 4)
    return [_short_example(rng, memorised, direct_share, direct_ops) for _ in range(SHORT_BATCH)]


def _short_example(rng: random.Random, memorised: list[Example], direct_share: float, direct_ops: int) -> Example:
    kind = rng.random()
    if kind < 0.2:
        prompt, answer = rng.choice(memorised)
        return prompt, arithmetic.ANSWER + answer
    if kind < 0.2 + direct_share:
        return _chain_example(rng, 1, direct_ops, traced=False)
    return _chain_example(rng, 1, 4, traced=True)


def _chain_example(rng: random.Random, least: int, most: int, *, traced: bool) -> Example:
    chain = arithmetic.make_chain(rng, rng.randint(least, most))
    return chain.prompt, arithmetic.trace(chain) if traced else arithmetic.direct(chain)


def _loss(model: Qwen2ForCausalLM, tokenizer: PreTrainedTokenizerFast, examples: list[Example]) -> Tensor:
    prompts = [tokenizer.encode(prompt) for prompt, _ in examples]
    answers = [[*tokenizer.encode(answer), tokenizer.eos_token_id] for _, answer in examples]
    width = max(len(p) + len(a) for p, a in zip(prompts, answers, strict=True))
    ids = torch.full((len(examples), width), int(tokenizer.pad_token_id))
    labels = torch.full_like(ids, -100)
    for row, (prompt, answer) in enumerate(zip(prompts, answers, strict=True)):
        end = len(prompt) + len(answer)
        ids[row, :end] = torch.tensor(prompt + answer)
        labels[row, len(prompt) : end] = ids[row, len(prompt) : end]
    # Padding lies on the right, where causal attention never looks back from: no mask needed.
    logits = model(input_ids=ids, use_cache=False).logits
    return cross_entropy(logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten(), ignore_index=-100)
