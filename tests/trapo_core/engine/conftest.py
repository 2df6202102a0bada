"""Every engine, made the same way."""

import random
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial

import pytest
import torch
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    PreTrainedConfig,
    PreTrainedModel,
    Qwen2Config,
)
from transformers.models.qwen2 import Qwen2ForCausalLM

from trapo_core import arithmetic
from trapo_core.engine import BatchingEngine, Engine, GenerateEngine, SampleRequest, VllmEngine
from trapo_core.engine.decode import Pass
from trapo_core.model import Policy, make_policy, small_world_tokenizer
from trapo_core.spec_parts import Vllm

from .stand_in import StandIn, serving

MakeEngine = Callable[..., Engine]
WINDOW = 6  # shorter than every prompt
ENGINES = ("generate", "batching", "recorded", "vllm")


def same_again(run: Pass) -> Pass:
    """What CUDA graphs are to a GPU: the pass is made once to record it, then it repeats what its buffers hold."""
    run()
    return run


@pytest.fixture
def policy(random_policy: Policy) -> Policy:
    """For engines one model is as good as another, and this one is made at once."""
    return random_policy


@pytest.fixture(params=ENGINES)
def engine_name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def make(engine_name: str) -> Iterator[MakeEngine]:
    """make(policy, batch_size): an engine, closed after the test."""
    with ExitStack() as stack:

        def made(policy: Policy, batch_size: int = 256) -> Engine:
            if engine_name == "vllm":
                url = stack.enter_context(serving(StandIn(policy=policy)))
                engine: Engine = VllmEngine(policy, Vllm(url=url, timeout_s=60.0), batch_size)
            else:
                kinds: dict[str, Callable[[Policy, int], Engine]]
                kinds = {
                    "generate": GenerateEngine,
                    "batching": BatchingEngine,
                    "recorded": partial(BatchingEngine, record=same_again),
                }
                engine = kinds[engine_name](policy, batch_size)
            stack.callback(engine.close)
            return engine

        yield made


def world_requests(policy: Policy, count: int = 12, temperature: float = 1.0, tokens: int = 16) -> list[SampleRequest]:
    """Problems of the small world, of different lengths, each its own family."""
    rng = random.Random(3)
    prompts = [tuple(policy.encode(arithmetic.make_chain(rng, rng.randint(1, 5)).prompt)) for _ in range(count)]
    return [SampleRequest(prompt, seed, tokens, temperature, family=seed) for seed, prompt in enumerate(prompts)]


def _model(kind: type[PreTrainedModel], config: PreTrainedConfig) -> Policy:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(4)
        model = kind(config)
    return make_policy(model.eval(), small_world_tokenizer(), device=torch.device("cpu"), dtype=torch.float32)


def _sizes(heads: int = 4, key_heads: int = 2) -> dict[str, object]:
    tokenizer = small_world_tokenizer()
    return {
        "vocab_size": len(tokenizer), "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2,
        "num_attention_heads": heads, "num_key_value_heads": key_heads, "max_position_embeddings": 160,
        "initializer_range": 0.1, "eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id,
    }  # fmt: skip


def grouped_query() -> Policy:
    return _model(Qwen2ForCausalLM, Qwen2Config(**_sizes(), tie_word_embeddings=True))


def llama() -> Policy:
    return _model(LlamaForCausalLM, LlamaConfig(**_sizes(key_heads=1), head_dim=16, tie_word_embeddings=False))


def sliding() -> Policy:
    """One layer that sees everything, one that sees a window."""
    config = Qwen2Config(
        **_sizes(),
        use_sliding_window=True,
        sliding_window=WINDOW,
        layer_types=["full_attention", "sliding_attention"],
    )
    return _model(Qwen2ForCausalLM, config)


def mistral() -> Policy:
    """A window in every layer, said in another way."""
    config = MistralConfig(**_sizes(), head_dim=8, sliding_window=WINDOW, tie_word_embeddings=False)
    return _model(MistralForCausalLM, config)


OTHERS = {"grouped_query": grouped_query, "llama": llama, "sliding": sliding, "mistral": mistral}


@pytest.fixture(params=OTHERS)
def other_policy(request: pytest.FixtureRequest) -> Policy:
    """Models of other structure, at random weights."""
    return OTHERS[request.param]()
