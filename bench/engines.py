"""Our engines beside the library's: `python -m bench.engines [ROUNDS]`.

Random models on a CPU, one thread; 64 requests of mixed lengths, ends disabled and lengths prescribed, so that all
engines draw the same number of wanted tokens. They take turns in one process on fresh prompts; the first round warms
up. `model.generate` knows no length of a single row, so it goes on until the longest is done; only wanted tokens count.
"""

import gc
import random
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import replace

import torch
from transformers import ContinuousBatchingConfig, GenerationConfig, PreTrainedModel
from transformers.utils import logging

from trapo_core.engine import BatchingEngine, SampleRequest, complete
from trapo_core.model import Policy, make_policy, new_qwen2, small_world_tokenizer

REQUESTS = 64
SIZES = {"0.1M": (64, 2), "15M": (384, 8)}  # width, layers
LONGEST = 128
COPIES = 8
# What serves the library's continuous batching well here: with 4096 tokens a pass its masks cost most of the time, and
# 128, 512 and 2048 hardly differ.
PAGE = 16
PASS_TOKENS = 512

Requests = Sequence[SampleRequest]
Run = Callable[[Requests], int]


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    torch.set_num_threads(1)
    logging.set_verbosity_error()  # that no end token is set is meant
    for name, (width, layers) in SIZES.items():
        policy = random_policy(width, layers)
        parameters = sum(value.numel() for value in policy.parameters())
        print(f"\n## {name}: {parameters:,} parameters")
        for title, task, copies in (("mixed lengths", mixed, 1), ("8 samples a prompt of 200", shared, COPIES)):
            with engines(policy, copies) as runs:
                compare(title, runs, [task(policy, round_) for round_ in range(rounds + 1)])


def random_policy(width: int, layers: int) -> Policy:
    tokenizer = small_world_tokenizer()
    model = new_qwen2(tokenizer, hidden_size=width, layers=layers, heads=width // 32, context=512, seed=1)
    policy = make_policy(model, tokenizer, device=torch.device("cpu"), dtype=torch.float32)
    return replace(policy, stop_ids=frozenset())


# ------------------------------------------------------------------------------------------------------- what is asked


def mixed(policy: Policy, round_: int) -> list[SampleRequest]:
    """Prompts of 8 to 64 tokens; answers of 16 tokens in the median, one in thirty longer than 100."""
    rng = random.Random(round_)
    lengths = [min(LONGEST, max(2, int(rng.lognormvariate(2.8, 1.0)))) for _ in range(REQUESTS)]
    return [request(policy, rng, rng.randint(8, 64), length, seed) for seed, length in enumerate(lengths)]


def shared(policy: Policy, round_: int) -> list[SampleRequest]:
    """8 prompts of 200 tokens, 8 answers of 16 tokens to each."""
    rng = random.Random(round_)
    prompts = [request(policy, rng, 200, 16, 0) for _ in range(REQUESTS // COPIES)]
    return [replace(one, seed=seed, family=family) for family, one in enumerate(prompts) for seed in range(COPIES)]


def request(policy: Policy, rng: random.Random, prompt: int, tokens: int, seed: int) -> SampleRequest:
    ids = tuple(rng.randrange(2, len(policy.tokenizer)) for _ in range(prompt))
    return SampleRequest(ids, seed, tokens, family=seed)


# --------------------------------------------------------------------------------------------------------- who answers


@contextmanager
def engines(policy: Policy, copies: int) -> Iterator[dict[str, Run]]:
    """Each engine as a function that answers and returns how many tokens were wanted and drawn. Continuous batching is
    told of `copies` of one prompt, which it then reads once; pages of earlier rounds never fit, for prompts are new."""
    plain, batched = (library_model(policy) for _ in range(2))
    engine = BatchingEngine(policy, REQUESTS)

    def ours(asked: Requests) -> int:
        engine.weights_changed()  # as in training: nothing is left of the step before
        return sum(len(done.ids) for done in complete(engine, asked))

    settings = ContinuousBatchingConfig(
        page_size=PAGE, num_blocks=4096, max_batch_tokens=PASS_TOKENS, max_requests_per_batch=REQUESTS
    )
    manager = batched.init_continuous_batching(sampling(LONGEST, copies), settings)
    manager.start()
    try:
        yield {
            "model.generate": lambda asked: generated(plain, asked, policy.pad_id),
            "continuous batching": lambda asked: managed(manager, asked, copies),
            "ours": ours,
        }
    finally:
        manager.stop(block=True)
        engine.close()


def library_model(policy: Policy) -> PreTrainedModel:
    model = deepcopy(policy.model)
    model.set_attn_implementation("sdpa")
    return model


def sampling(tokens: int, copies: int = 1) -> GenerationConfig:
    return GenerationConfig(
        num_return_sequences=copies,
        do_sample=True,
        top_k=0,
        temperature=1.0,
        max_new_tokens=tokens,
        eos_token_id=-1,
        pad_token_id=0,
    )


def generated(model: PreTrainedModel, asked: Requests, pad_id: int) -> int:
    width = max(len(one.ids) for one in asked)
    ids = torch.tensor([[pad_id] * (width - len(one.ids)) + list(one.ids) for one in asked])
    mask = torch.tensor([[0] * (width - len(one.ids)) + [1] * len(one.ids) for one in asked])
    longest = max(one.max_new_tokens for one in asked)
    out = model.generate(ids, attention_mask=mask, generation_config=sampling(longest))
    assert out.shape[1] == width + longest
    return sum(one.max_new_tokens for one in asked)


def managed(manager, asked: Requests, copies: int) -> int:  # type: ignore[no-untyped-def]
    for one in asked[::copies]:
        manager.add_request(list(one.ids), max_new_tokens=one.max_new_tokens)
    done = []
    while len(done) < len(asked):
        result = manager.get_result(timeout=300)
        assert result is not None, "continuous batching stopped"
        if result.is_finished():
            assert result.error is None, result.error
            done.append(result)
    return sum(len(result.generated_tokens) for result in done)


# ---------------------------------------------------------------------------------------------------------- the figures


def compare(title: str, runs: dict[str, Run], tasks: list[list[SampleRequest]]) -> None:
    rates: dict[str, list[float]] = {name: [] for name in runs}
    for round_, requests in enumerate(tasks):
        wanted = sum(one.max_new_tokens for one in requests)
        for name, run in runs.items():
            gc.collect()
            began = time.perf_counter()
            tokens = run(requests)
            seconds = time.perf_counter() - began
            assert tokens == wanted, f"{name} drew {tokens} of {wanted} tokens"
            if round_:
                rates[name].append(tokens / seconds)
    print(f"{title}, {len(tasks) - 1} rounds: tokens/s (middle half); ours relative to it, round by round")
    for name, values in rates.items():
        ratios = [ours / other for ours, other in zip(rates["ours"], values, strict=True)]
        print(f"| {name} | {spread(values, 0)} | {spread(ratios, 2)} |")


def spread(values: list[float], digits: int) -> str:
    low, median, high = statistics.quantiles(values, n=4, method="inclusive")
    return f"{median:.{digits}f} ({low:.{digits}f}–{high:.{digits}f})"


if __name__ == "__main__":
    main()
