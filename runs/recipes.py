"""Recipes: YAML files of one or several specs, read anew each time so that a new file shows at once."""

from pathlib import Path
from typing import Any

import yaml


def read_recipes(folder: Path) -> dict[str, list[dict[str, Any]]]:
    """Recipe name (the file's, without .yaml) -> its specs as written, one for each YAML document."""
    return {path.stem: _documents(path) for path in sorted(folder.glob("*.yaml"))}


def _documents(path: Path) -> list[dict[str, Any]]:
    return [document for document in yaml.safe_load_all(path.read_text()) if isinstance(document, dict)]
