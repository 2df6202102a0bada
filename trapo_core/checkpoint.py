"""Checkpoints: all that a step needs, whole or absent, in safetensors and JSON.

`RUN_DIR/checkpoints/step-000050/` is an ordinary Hugging Face folder (weights, config, tokenizer) with a `trainer/`
folder inside: optimizer moments and counters. No random state is kept: seeds and data position are functions of run
and step.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from trapo_core.errors import CheckpointError
from trapo_core.model import Policy, save_policy
from trapo_core.run_folder import NEUTRAL_FIELDS
from trapo_core.spec import TrainSpec

FOLDER = "checkpoints"
WEIGHTS = "model.safetensors"

# A run has its main optimizer, and perhaps one for buffered failures.
Optimizers = Mapping[str, torch.optim.Optimizer]


@dataclass
class TrainerState:
    """Where training stands: steps taken, the last step whose due evaluation is done, steps skipped (in all, in a
    row), places in the streams of problems and of demonstrations, ids of buffered failures, and the gradient norms of
    the last supervised step and of the last one of the warm start."""

    step: int = 0
    evaluated_step: int = -1
    skipped: int = 0
    skipped_in_a_row: int = 0
    problems_taken: int = 0
    demonstrations_taken: int = 0
    failed_ids: list[str] = field(default_factory=list)
    supervised_norm: float = 0.0
    warm_norm: float = 0.0


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


def save(run_dir: Path, spec: TrainSpec, policy: Policy, optimizers: Optimizers, state: TrainerState) -> Saved:
    """Write under a temporary name, flush to the disk, rename. A crash at any moment leaves the old ones whole."""
    folder = run_dir / FOLDER / f"step-{state.step:06d}"
    temporary = folder.with_name(f".{folder.name}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    (temporary / "trainer").mkdir(parents=True)
    save_policy(temporary, policy.model, policy.tokenizer)
    save_file(_optimizer_tensors(policy, optimizers), temporary / "trainer" / "optimizer.safetensors")
    _write_state(temporary, spec, state)
    for path in (*temporary.rglob("*"), temporary):
        _fsync(path)
    os.rename(temporary, folder)
    _fsync(folder.parent)
    return Saved(folder, state.step)


def update_state(run_dir: Path, spec: TrainSpec, state: TrainerState) -> None:
    """Renew the counters of this step's checkpoint, if there is one: an evaluation was done since."""
    if (saved := latest(run_dir)) and saved.step == state.step:
        _write_state(saved.folder, spec, state)


def latest(run_dir: Path) -> Saved | None:
    """The newest complete checkpoint of a run, or None."""
    complete = [saved for saved in _all(run_dir) if (saved.folder / "trainer" / "state.json").is_file()]
    return complete[-1] if complete else None


def prune(run_dir: Path, keep_last: int) -> None:
    """Delete all but the newest `keep_last`."""
    for saved in _all(run_dir)[:-keep_last]:
        shutil.rmtree(saved.folder)


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
    """Put the saved moments back. Raises CheckpointError if they do not fit the model."""
    tensors = load_file(saved.folder / "trainer" / "optimizer.safetensors", device=str(policy.device))
    names = [name for name, _ in policy.named_parameters()]
    state: dict[str, dict[int, dict[str, torch.Tensor]]] = {which: {} for which in optimizers}
    for key, value in tensors.items():
        which, _, rest = key.partition(":")
        name, _, field = rest.rpartition("/")
        if name not in names or which not in optimizers:
            raise CheckpointError(f"{saved.folder}: no parameter {rest} of {which} in this run.", "Start a new run.")
        # AdamW keeps its step counter on the CPU.
        state[which].setdefault(names.index(name), {})[field] = value.cpu() if field == "step" else value
    for which, optimizer in optimizers.items():
        groups = optimizer.state_dict()["param_groups"]
        optimizer.load_state_dict({"state": state[which], "param_groups": groups})


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


def _optimizer_tensors(policy: Policy, optimizers: Optimizers) -> dict[str, torch.Tensor]:
    return {
        f"{which}:{name}/{field}": value.contiguous()
        for which, optimizer in optimizers.items()
        for name, parameter in policy.named_parameters()
        for field, value in optimizer.state.get(parameter, {}).items()
    }


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
