"""The folder of a run that no service keeps: where it lies by default, and the spec in it."""

import json
import re
from datetime import datetime
from pathlib import Path

from trapo_core.errors import CheckpointError, SpecError
from trapo_core.spec import EvalSpec, TrainSpec, parse_spec

SPEC_FILE = "spec.json"
# What may differ between two attempts of one run without changing what it computes.
NEUTRAL_FIELDS = {"name", "tags", "resources", "checkpoints", "loggers"}


def default_folder(name: str, now: datetime) -> Path:
    """runs-local/TIME-NAME, in the working directory."""
    slug = re.sub(r"[^a-zA-Z0-9]+", "-", name).strip("-").lower() or "run"
    return Path("runs-local") / f"{now:%Y%m%d-%H%M%S}-{slug}"


def prepare(run_dir: Path, spec: TrainSpec | EvalSpec) -> bool:
    """Write the resolved spec. True if the folder is new; CheckpointError if another run has checkpoints there."""
    kept = run_dir / SPEC_FILE
    if kept.exists() and any(run_dir.glob("checkpoints/*")) and not _same_work(kept.read_text(), spec):
        raise CheckpointError(
            f"{run_dir} holds checkpoints of a run with another spec.",
            "Give another folder, or the spec it began with.",
        )
    is_new = not run_dir.exists()
    run_dir.mkdir(parents=True, exist_ok=True)
    kept.write_text(json.dumps(spec.model_dump(mode="json"), indent=2) + "\n")
    return is_new


def _same_work(kept: str, spec: TrainSpec | EvalSpec) -> bool:
    """Parsed, so that a field which is newer than the folder has its default there too."""
    try:
        earlier = parse_spec(json.loads(kept))
    except SpecError:
        return False
    return earlier.model_dump(exclude=NEUTRAL_FIELDS) == spec.model_dump(exclude=NEUTRAL_FIELDS)
