"""Every recipe can be run as it is: each document of each file parses, to itself."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from trapo_core.methods import METHODS
from trapo_core.spec import parse_spec

RECIPES = sorted((Path(__file__).parents[1] / "recipes").glob("*.y*ml"))
DOCUMENTS = [
    pytest.param(document, id=f"{path.name}-{number}")
    for path in RECIPES
    for number, document in enumerate(yaml.safe_load_all(path.read_text(encoding="utf-8")))
]


def test_there_are_recipes() -> None:
    assert DOCUMENTS


@pytest.mark.parametrize("document", DOCUMENTS)
def test_a_recipe_parses_and_its_resolved_spec_parses_to_itself(document: dict[str, Any]) -> None:
    spec = parse_spec(document)
    assert parse_spec(spec.model_dump(mode="json")) == spec
    assert spec.name


@pytest.mark.parametrize("document", DOCUMENTS)
@pytest.mark.parametrize("method", METHODS)
def test_a_training_recipe_runs_with_any_method(document: dict[str, Any], method: str) -> None:
    own = {"guidance", "expert", "policy", "warm_start"} & set(document)
    if document.get("kind", "train") == "train" and not own:
        parse_spec(document | {"method": method})
