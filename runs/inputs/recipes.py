"""Recipes: YAML files of one or several specs, read anew each time so that a new file shows at once."""

from pathlib import Path
from typing import Any

import yaml


def read_recipes(folder: Path) -> dict[str, list[dict[str, Any]]]:
    """Recipe name (the file's below `folder`, without .yaml) -> its specs as written, one for each YAML document."""
    paths = sorted(folder.rglob("*.yaml"))
    return {path.relative_to(folder).with_suffix("").as_posix(): _documents(path) for path in paths}


def _documents(path: Path) -> list[dict[str, Any]]:
    return [document for document in yaml.safe_load_all(path.read_text()) if isinstance(document, dict)]
