"""Engines turn token prefixes into sampled completions: `batching` is the default, `generate` the simple reference,
`vllm` a server."""

from trapo_core.engine.batching import BatchingEngine
from trapo_core.engine.generate import GenerateEngine
from trapo_core.engine.protocol import Completion, Engine, Key, SampleRequest, Work, complete
from trapo_core.engine.vllm import VllmEngine

__all__ = [
    "BatchingEngine",
    "Completion",
    "Engine",
    "GenerateEngine",
    "Key",
    "SampleRequest",
    "VllmEngine",
    "Work",
    "complete",
]
