"""What a person means by a model: a folder, a run, a Hub id, or the small world's base."""

import json
import os
import re
from pathlib import Path
from typing import Any

from client.errors import UsageError
from client.places import child_environment, home
from trapo_core.run_folder import SPEC_FILE
from trapo_core.sources import HUB_ID


def named_model(name: str) -> dict[str, Any]:
    """The fields of a spec that `name` stands for: `model`, and of a run the template it was trained with.

    Folders win over Hub ids. Raises UsageError that lists what may be named.
    """
    if name == "small-world":
        return {"model": {"source": "small_world"}}
    for folder in (Path(name).expanduser(), _models_dir() / name):
        if (folder / "checkpoints").is_dir():
            return _of_run(folder)
        if (folder / "config.json").is_file():
            return {"model": {"source": "folder", "path": str(folder.resolve())}}
    if re.match(HUB_ID, name):
        return {"model": {"source": "hub", "id": name}}
    raise UsageError(
        f"{name!r} is no model.",
        f"Name a folder with config.json (here or under {_models_dir()}), a run's folder with checkpoints, a Hub id "
        "such as Qwen/Qwen2.5-0.5B, or small-world.",
    )


def _of_run(run_dir: Path) -> dict[str, Any]:
    complete = sorted(state.parents[1] for state in run_dir.glob("checkpoints/step-*/trainer/state.json"))
    if not complete:
        raise UsageError(f"{run_dir} has no complete checkpoint.", "Let the run save one first.")
    fields: dict[str, Any] = {"model": {"source": "folder", "path": str(complete[-1].resolve())}}
    spec = json.loads((run_dir / SPEC_FILE).read_text()) if (run_dir / SPEC_FILE).is_file() else {}
    return {**fields, "template": spec["template"]} if "template" in spec else fields


def _models_dir() -> Path:
    return Path(child_environment(home()).get("TRAPO_MODELS_DIR", os.curdir))
