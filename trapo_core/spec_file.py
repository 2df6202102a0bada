"""Spec files: one or several specs as YAML documents or JSON."""

import json
from pathlib import Path
from typing import Any

import yaml

from trapo_core.errors import FieldProblem, SpecError


def read_documents(path: Path) -> list[dict[str, Any]]:
    """Every spec of the file, in order; whether it can be run is for `parse_spec` to say. Raises SpecError."""
    try:
        text = path.read_text()
    except OSError as error:
        raise _wrong(f"Cannot read {path}: {error.strerror}.", "Ready-made specs are in recipes/.") from error
    return parse_documents(path, text)


def parse_documents(path: Path, text: str) -> list[dict[str, Any]]:
    """Every spec of `text`, which is that of the file `path`. Raises SpecError."""
    try:
        parsed = [json.loads(text)] if path.suffix == ".json" else list(yaml.safe_load_all(text))
    except (json.JSONDecodeError, yaml.YAMLError) as error:
        raise _wrong(f"{path} cannot be parsed: {error}") from error
    specs = [
        item
        for document in parsed
        if document is not None
        for item in (document if isinstance(document, list) else [document])
    ]
    if not specs or not all(isinstance(spec, dict) for spec in specs):
        raise _wrong(f"{path} holds no spec.", "A spec is a mapping of fields; see recipes/ for examples.")
    return specs


def _wrong(message: str, hint: str = "") -> SpecError:
    return SpecError([FieldProblem("", message, hint)])
