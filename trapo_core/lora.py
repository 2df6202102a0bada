"""Low-rank adapters (LoRA, arXiv 2106.09685) by `peft`: the base stays as it is, and small matrices beside it learn.

The engine samples from base and adapters as they stand, so sampler and trainer see one model. Checkpoints hold merged
weights for everybody, and the adapters under `trainer/adapter/`, in peft's own form, to resume from: what was merged
cannot be taken apart again to the bit.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from trapo_core.errors import CheckpointError, FieldProblem, SpecError
from trapo_core.model import Policy
from trapo_core.reader import Reader
from trapo_core.spec_parts import Lora

FOLDER = "adapter"
FILE = "adapter_model.safetensors"
NAME = "default"
# How peft calls the model inside its own wrapper; other programs expect it in the file.
PREFIX = "base_model.model."


def add_adapters(policy: Policy, lora: Lora, *, seed: int) -> None:
    """Put fresh adapters, which change nothing yet, into the policy's model; from now on only they are trained.

    Raises SpecError where peft is missing or the model has no such modules.
    """
    try:
        from peft import LoraConfig, inject_adapter_in_model  # noqa: PLC0415 - an extra; few runs need it
    except ImportError as error:
        raise _wrong("/lora", "adapters need the package peft.", "pip install 'trapo[lora]'") from error
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        try:
            inject_adapter_in_model(LoraConfig(**_settings(lora)), policy.model, NAME)
        except ValueError as error:
            raise _wrong("/lora/target_modules", str(error), "all-linear takes every linear layer.") from error
    policy.model.to(policy.device).eval()


def is_adapted(model: torch.nn.Module) -> bool:
    return next(_layers(model), None) is not None


def merged_weights(model: torch.nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Every weight of the model under the base's name, adapters added in; tied ones once, under their first name."""
    deltas = {f"{name}.base_layer.weight": layer for name, layer in _layers(model)}
    own = {id(tensor): name for name, tensor in reversed(model.state_dict(keep_vars=True).items())}
    for name, tensor in model.state_dict(keep_vars=True).items():
        if ".lora_" in name or own[id(tensor)] != name:
            continue
        value = tensor.detach() + deltas[name].get_delta_weight(NAME).detach() if name in deltas else tensor
        yield name.replace(".base_layer.", "."), value


def adapter_weights(model: torch.nn.Module) -> Iterator[tuple[str, Tensor]]:
    """The adapters alone, under peft's names."""
    for name, tensor in model.state_dict(keep_vars=True).items():
        if ".lora_" in name:
            yield PREFIX + name.replace(f".{NAME}.", "."), tensor


def save_adapter(folder: Path, lora: Lora, weights: dict[str, Tensor]) -> None:
    """A folder that peft loads, made of what `adapter_weights` gave."""
    folder.mkdir()
    save_file(weights, folder / FILE)
    config = _settings(lora) | {"peft_type": "LORA", "task_type": "CAUSAL_LM", "inference_mode": True}
    (folder / "adapter_config.json").write_text(json.dumps(config, indent=2))


@torch.no_grad()
def load_adapter(policy: Policy, folder: Path) -> None:
    """Give the policy's adapters the saved weights. Raises CheckpointError if they are gone or others."""
    if not (folder / FILE).is_file():
        raise CheckpointError(f"{folder} is gone.", "Delete that checkpoint to resume from the one before.")
    saved, parameters = load_file(folder / FILE), dict(adapter_weights(policy.model))
    if saved.keys() != parameters.keys():
        raise CheckpointError(f"{folder} holds adapters of other modules.", "Start a new run.")
    for name, parameter in parameters.items():
        parameter.copy_(saved[name])


def base_of(policy: Policy) -> Policy:
    """The same model without its adapters, to read only; its weights are the policy's own."""
    return replace(policy, reader=_BaseReader(policy.model))


class _BaseReader(Reader):
    @torch.no_grad()
    def forward(self, *stream: Any, **options: Any) -> tuple[Tensor, Tensor]:
        with _adapters_off(self.model):
            return super().forward(*stream, **options)


@contextmanager
def _adapters_off(model: torch.nn.Module) -> Iterator[None]:
    layers = [layer for _, layer in _layers(model)]
    for layer in layers:
        layer._disable_adapters = True  # peft's own switch would turn gradients off and on as well
    try:
        yield
    finally:
        for layer in layers:
            layer._disable_adapters = False


def _layers(model: torch.nn.Module) -> Iterator[tuple[str, Any]]:
    return ((name, module) for name, module in model.named_modules() if hasattr(module, "lora_A"))


def _settings(lora: Lora) -> dict[str, Any]:
    modules = lora.target_modules
    return {
        "r": lora.rank,
        "lora_alpha": lora.alpha,
        "lora_dropout": 0.0,  # the trainer must see the distribution that was sampled from
        "target_modules": modules if isinstance(modules, str) else list(modules),
        "task_type": "CAUSAL_LM",
    }


def _wrong(pointer: str, message: str, hint: str) -> SpecError:
    return SpecError([FieldProblem(pointer, message, hint)])
