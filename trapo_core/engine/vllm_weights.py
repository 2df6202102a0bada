"""New weights for a server, through a folder; and whether they have arrived."""

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

import torch

from trapo_core.engine.protocol import Completion, SampleRequest
from trapo_core.engine.vllm_server import Server
from trapo_core.errors import NonFiniteError
from trapo_core.lora import merged_weights
from trapo_core.model import Policy, save_policy

# The probe: so many tokens after a prompt that fills blocks of the server's cache, at a temperature that tells the
# log-probs of the sampling distribution from those at temperature 1.
PROBE_PROMPT_TOKENS = 40
PROBE_TOKENS = 16
PROBE_TEMPERATURE = 0.7
# How far the server's log-probs may be from the policy's, on average over the probe.
PROBE_GAP = {torch.float32: 1e-3, torch.bfloat16: 0.1}


class WeightFolder:
    """A folder that both sides see, with a new one in it for each version: some servers keep a file that they have
    read open, and would read the old weights again (seen in vLLM 0.14)."""

    def __init__(self, policy: Policy, inside: str | None) -> None:
        self._policy = policy
        if inside is not None:
            Path(inside).mkdir(parents=True, exist_ok=True)
        self._root = Path(tempfile.mkdtemp(prefix="trapo-vllm-", dir=inside)).resolve()
        self._root.chmod(0o755)  # the server may be another user's
        self._saved: list[Path] = []

    @property
    def log(self) -> Path:
        """Where a server writes what it has to say."""
        return self._root / "vllm.log"

    def save(self) -> Path:
        """A Hugging Face folder of the policy as it is now, adapters added in, in the run's dtype; the version before
        the last goes.

        Raises NonFiniteError if the weights are not finite.
        """
        policy = self._policy
        if not all(bool(torch.isfinite(value).all()) for value in policy.model.parameters()):
            raise NonFiniteError("the model's weights are not finite.", "Lower the learning rate.")
        weights = {
            name: value.detach().to(policy.dtype) if value.is_floating_point() else value
            for name, value in merged_weights(policy.model)
        }
        folder = self._root / f"weights-{len(self._saved)}"
        save_policy(folder, policy.model, policy.tokenizer, weights)
        for old in self._saved[:-1]:
            shutil.rmtree(old, ignore_errors=True)
        self._saved.append(folder)
        return folder

    def close(self) -> None:
        shutil.rmtree(self._root, ignore_errors=True)


class Probe:
    """One fixed request, sent after every new version: the server's log-probs must be the policy's, and must have
    moved if the policy's have."""

    def __init__(self, policy: Policy, context: int) -> None:
        vocabulary = min(len(policy.tokenizer), policy.model.config.vocab_size)
        length = max(1, min(PROBE_PROMPT_TOKENS, context - PROBE_TOKENS))
        ids = tuple(place * 7919 % vocabulary for place in range(1, length + 1))
        self.request = SampleRequest(ids, seed=1, max_new_tokens=PROBE_TOKENS, temperature=PROBE_TEMPERATURE)
        self._policy = policy
        self._told: Completion | None = None
        self._own_logps: list[float] = []

    def check(self, told: Completion, server: Server) -> None:
        """Raises EngineError if `told`, the server's answer, does not come from the policy's weights."""
        own_logps = self._logps(told.ids)
        gap = sum(abs(a - b) for a, b in zip(told.logps, own_logps, strict=True)) / len(own_logps)
        if not gap <= PROBE_GAP[self._policy.dtype]:
            raise server.error(
                f"its log-probs are {gap:.2g} off the policy's after new weights were sent.",
                "It must serve this model with --logprobs-mode processed_logprobs, and see TRAPO_VLLM_WEIGHTS_DIR.",
            )
        if told == self._told and own_logps != self._own_logps:
            raise server.error(
                "it answers as before the new weights; they did not arrive.",
                "See that its reload_weights reads TRAPO_VLLM_WEIGHTS_DIR (vLLM 0.33 does).",
            )
        self._told, self._own_logps = told, own_logps

    @torch.no_grad()
    def _logps(self, ids: Sequence[int]) -> list[float]:
        """The policy's own log-probs of `ids` after the request."""
        policy, prompt = self._policy, self.request.ids
        both = torch.tensor([[*prompt, *ids]], device=policy.device)
        with policy.autocast():
            logits_T_V = policy.model(input_ids=both, use_cache=False).logits[0, len(prompt) - 1 : -1]
        logps_T_V = (logits_T_V.float() / self.request.temperature).log_softmax(dim=-1)
        found: list[float] = logps_T_V.gather(1, both[0, len(prompt) :, None]).squeeze(1).tolist()
        return found
