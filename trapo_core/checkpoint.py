"""Checkpoints: all that a step needs, whole or absent, in safetensors and JSON.

`RUN_DIR/checkpoints/step-000050/` is an ordinary Hugging Face folder (weights, config, tokenizer) with a `trainer/`
folder inside: optimizer moments and counters. No random state is kept: seeds and data position are functions of run
and step. How many processes trained is not seen in it. `saver.py` decides when one is written.

Old ones are deleted, but never one that holds a file called `pinned`: whoever wants to keep a checkpoint puts it there.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from copy import deepcopy
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from trapo_core.errors import CheckpointError
from trapo_core.lora import FOLDER as ADAPTER
from trapo_core.lora import adapter_weights, merged_weights, save_adapter
from trapo_core.model import Policy, save_policy
from trapo_core.parallel import sharded_like, whole
from trapo_core.run_folder import NEUTRAL_FIELDS
from trapo_core.spec import TrainSpec

FOLDER = "checkpoints"
PINNED = "pinned"

# A run has its main optimizer, and perhaps one for buffered failures.
Optimizers = Mapping[str, torch.optim.Optimizer]
Tensors = dict[str, Tensor]


@dataclass
class TrainerState:
    """Where training stands: steps taken, the last step whose due evaluation is done, steps skipped (in all, in a
    row), places in the streams of problems and of demonstrations, ids of buffered failures, the gradient norms of the
    last supervised step and of the last one of the warm start, and the best score that keeps a checkpoint, with its
    step."""

    step: int = 0
    evaluated_step: int = -1
    skipped: int = 0
    skipped_in_a_row: int = 0
    problems_taken: int = 0
    demonstrations_taken: int = 0
    failed_ids: list[str] = field(default_factory=list)
    supervised_norm: float = 0.0
    warm_norm: float = 0.0
    best_step: int = -1
    best_score: float = 0.0


@dataclass
class Snapshot:
    """All that a checkpoint holds, in host memory, as it was at `state.step`."""

    state: TrainerState
    weights: Tensors = field(default_factory=dict)
    moments: Tensors = field(default_factory=dict)
    adapter: Tensors = field(default_factory=dict)


@dataclass(frozen=True)
class Saved:
    """A complete checkpoint."""

    folder: Path
    step: int

    @property
    def bytes(self) -> int:
        return sum(file.stat().st_size for file in self.folder.rglob("*") if file.is_file())

    @property
    def sha256(self) -> str:
        """Of the weights; of all shards in order if there are several."""
        digest = hashlib.sha256()
        for file in sorted(self.folder.glob("*.safetensors")):
            with file.open("rb") as stream:
                while chunk := stream.read(1 << 20):
                    digest.update(chunk)
        return digest.hexdigest()


def snapshot(
    policy: Policy, optimizers: Optimizers, state: TrainerState, *, memory: Snapshot | None = None, keep: bool = True
) -> Snapshot:
    """What is to be saved, copied into the `memory` of an earlier snapshot where there is one.

    Sharded tensors are gathered one after the other, so all ranks must call this; those that do not `keep` hold one
    whole tensor at a time and end with none.
    """
    memory = memory or Snapshot(state)
    weights = _copies(merged_weights(policy.model), memory.weights, keep)
    moments = _copies(_moments(policy, optimizers), memory.moments, keep)
    adapter = _copies(adapter_weights(policy.model), memory.adapter, keep)
    if policy.device.type == "cuda":
        torch.cuda.synchronize(policy.device)
    return Snapshot(deepcopy(state), weights, moments, adapter)


def write(run_dir: Path, spec: TrainSpec, policy: Policy, taken: Snapshot) -> Saved:
    """Write under a temporary name, flush to the disk, rename. A crash at any moment leaves the old ones whole.

    Of the policy only what never changes is read, so that a thread may do this while training goes on.
    """
    folder = run_dir / FOLDER / f"step-{taken.state.step:06d}"
    temporary = folder.with_name(f".{folder.name}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    (temporary / "trainer").mkdir(parents=True)
    save_policy(temporary, policy.model, policy.tokenizer, taken.weights)
    save_file(taken.moments, temporary / "trainer" / "optimizer.safetensors")
    if spec.lora:
        save_adapter(temporary / "trainer" / ADAPTER, spec.lora, taken.adapter)
    _write_state(temporary, spec, taken.state)
    for path in (*temporary.rglob("*"), temporary):
        _fsync(path)
    os.rename(temporary, folder)
    _fsync(folder.parent)
    return Saved(folder, taken.state.step)


def save(run_dir: Path, spec: TrainSpec, policy: Policy, optimizers: Optimizers, state: TrainerState) -> Saved:
    """A checkpoint, made now and while the caller waits."""
    return write(run_dir, spec, policy, snapshot(policy, optimizers, state))


def update_state(run_dir: Path, spec: TrainSpec, state: TrainerState) -> None:
    """Renew the counters of this step's checkpoint, if there is one: an evaluation was done since."""
    if (saved := latest(run_dir)) and saved.step == state.step:
        _write_state(saved.folder, spec, state)


def latest(run_dir: Path) -> Saved | None:
    """The newest complete checkpoint of a run, or None."""
    complete = [saved for saved in _all(run_dir) if (saved.folder / "trainer" / "state.json").is_file()]
    return complete[-1] if complete else None


def prune(run_dir: Path, keep_last: int, keep_step: int = -1) -> None:
    """Delete all but the newest `keep_last`, the pinned ones and that of `keep_step`."""
    for saved in _all(run_dir)[:-keep_last]:
        if saved.step != keep_step and not (saved.folder / PINNED).exists():
            doomed = saved.folder.with_name(f".{saved.folder.name}.tmp")
            saved.folder.rename(doomed)  # at once: nobody may find, copy or load a half of it
            shutil.rmtree(doomed)


def load_state(saved: Saved, spec: TrainSpec) -> TrainerState:
    """Raises CheckpointError if the checkpoint belongs to another spec."""
    try:
        record = json.loads((saved.folder / "trainer" / "state.json").read_text())
        state = TrainerState(**record["state"])
    except (ValueError, KeyError, TypeError) as error:
        raise CheckpointError(
            f"{saved.folder} is damaged: {error}.", "Delete that folder to resume from the one before."
        ) from error
    if record["spec_digest"] != spec_digest(spec):
        raise CheckpointError(
            f"{saved.folder} was made by another spec.",
            "Start a new run; or give back the spec that this run began with.",
        )
    return state


def load_optimizers(saved: Saved, policy: Policy, optimizers: Optimizers) -> None:
    """Put the saved moments back, each rank its part. Raises CheckpointError if they do not fit the model."""
    parameters = policy.named_parameters()
    places = {name: place for place, (name, _) in enumerate(parameters)}
    state: dict[str, dict[int, Tensors]] = {which: {} for which in optimizers}
    with safe_open(saved.folder / "trainer" / "optimizer.safetensors", framework="pt") as file:
        for key in file.keys():  # noqa: SIM118 - it is no mapping
            which, _, rest = key.partition(":")
            name, _, kind = rest.rpartition("/")
            if name not in places or which not in optimizers:
                raise CheckpointError(
                    f"{saved.folder}: no parameter {rest} of {which} in this run.", "Start a new run."
                )
            moments = state[which].setdefault(places[name], {})
            moments[kind] = _moment(kind, file.get_tensor(key), parameters[places[name]][1])
    for which, optimizer in optimizers.items():
        groups = optimizer.state_dict()["param_groups"]
        optimizer.load_state_dict({"state": state[which], "param_groups": groups})


def _moment(kind: str, value: Tensor, parameter: Tensor) -> Tensor:
    # AdamW keeps its step counter on the CPU, and whole.
    return value if kind == "step" else sharded_like(parameter, value.to(parameter.device))


def spec_digest(spec: TrainSpec) -> str:
    """SHA-256 of everything in the spec that decides what is computed."""
    data = spec.model_dump(mode="json", exclude=NEUTRAL_FIELDS)
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()


def _write_state(folder: Path, spec: TrainSpec, state: TrainerState) -> None:
    record = {"spec_digest": spec_digest(spec), "state": asdict(state)}
    temporary = folder / "trainer" / ".state.json"
    temporary.write_text(json.dumps(record, indent=2))
    os.replace(temporary, folder / "trainer" / "state.json")


def _all(run_dir: Path) -> list[Saved]:
    folders = (run_dir / FOLDER).glob("step-*")
    found = [Saved(folder, int(folder.name.removeprefix("step-"))) for folder in folders]
    return sorted(found, key=lambda saved: saved.step)


def _moments(policy: Policy, optimizers: Optimizers) -> Iterator[tuple[str, Tensor]]:
    for which, optimizer in optimizers.items():
        for name, parameter in policy.named_parameters():
            for kind, value in optimizer.state.get(parameter, {}).items():
                yield f"{which}:{name}/{kind}", value


def _copies(tensors: Iterable[tuple[str, Tensor]], memory: Tensors, keep: bool) -> Tensors:
    """Into memory that is there already, if it is: fresh pages cost more than the copy."""
    copies = {}
    for name, tensor in tensors:
        value = whole(tensor.detach())
        if keep:
            buffer = memory.get(name)
            copy = torch.empty_like(value, device="cpu", pin_memory=value.is_cuda) if buffer is None else buffer
            copies[name] = copy.copy_(value, non_blocking=True)
    return copies


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
