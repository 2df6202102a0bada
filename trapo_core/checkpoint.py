"""Checkpoints: all that a step needs, whole or absent, in safetensors and JSON.

`RUN_DIR/checkpoints/step-000050/` is an ordinary Hugging Face folder (weights, config, tokenizer) with a `trainer/`
folder inside: optimizer moments and counters. No random state is kept: seeds and data position are functions of run
and step.
"""

import hashlib
import json
import os
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from trapo_core.errors import CheckpointError
from trapo_core.model import Policy, save_policy
from trapo_core.run_folder import NEUTRAL_FIELDS
from trapo_core.spec import TrainSpec

FOLDER = "checkpoints"
WEIGHTS = "model.safetensors"


@dataclass
class TrainerState:
    """Where training stands: steps taken, the last step whose due evaluation is done, steps skipped (in all, in a
    row)."""

    step: int = 0
    evaluated_step: int = -1
    skipped: int = 0
    skipped_in_a_row: int = 0


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


def save(
    run_dir: Path, spec: TrainSpec, policy: Policy, optimizer: torch.optim.Optimizer, state: TrainerState
) -> Saved:
    """Write under a temporary name, flush to the disk, rename. A crash at any moment leaves the old ones whole."""
    folder = run_dir / FOLDER / f"step-{state.step:06d}"
    temporary = folder.with_name(f".{folder.name}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    (temporary / "trainer").mkdir(parents=True)
    save_policy(temporary, policy.model, policy.tokenizer)
    save_file(_optimizer_tensors(policy, optimizer), temporary / "trainer" / "optimizer.safetensors")
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


def load_optimizer(saved: Saved, policy: Policy, optimizer: torch.optim.Optimizer) -> None:
    """Put the saved moments back. Raises CheckpointError if they do not fit the model."""
    tensors = load_file(saved.folder / "trainer" / "optimizer.safetensors", device=str(policy.device))
    names = [name for name, _ in policy.model.named_parameters()]
    state: dict[int, dict[str, torch.Tensor]] = {}
    for key, value in tensors.items():
        name, _, field = key.rpartition("/")
        if name not in names:
            raise CheckpointError(f"{saved.folder}: no parameter {name} in this model.", "Start a new run.")
        # AdamW keeps its step counter on the CPU.
        state.setdefault(names.index(name), {})[field] = value.cpu() if field == "step" else value
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})


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


def _optimizer_tensors(policy: Policy, optimizer: torch.optim.Optimizer) -> dict[str, torch.Tensor]:
    named = {
        f"{name}/{field}": value
        for name, parameter in policy.model.named_parameters()
        for field, value in optimizer.state.get(parameter, {}).items()
    }
    return {key: value.contiguous() for key, value in named.items()}


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
