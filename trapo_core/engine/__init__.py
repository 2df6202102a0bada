"""Engines turn token prefixes into sampled completions: `generate` is the reference, `waves` a schedule over any."""

from trapo_core.engine.generate import GenerateEngine
from trapo_core.engine.protocol import Completion, Engine, SampleRequest
from trapo_core.engine.waves import Waves

__all__ = ["Completion", "Engine", "GenerateEngine", "SampleRequest", "Waves"]
