"""The client's own words are those of the service: same fields, same types."""

import re
from importlib import import_module
from pkgutil import iter_modules

import pytest
from pydantic import BaseModel

import api.schemas
import client.models
import client.reading_models

ROOMS = [import_module(f"api.schemas.{module.name}") for module in iter_modules(api.schemas.__path__)]
SHARED = [
    model
    for module in (client.models, client.reading_models)
    for model in vars(module).values()
    if isinstance(model, type)
    and issubclass(model, BaseModel)
    and model.__module__ == module.__name__
    and not model.__name__.startswith("_")
]


@pytest.mark.parametrize("model", SHARED, ids=lambda model: model.__name__)
def test_the_client_reads_every_field_that_the_service_writes(model: type[BaseModel]) -> None:
    theirs = next(getattr(room, model.__name__) for room in ROOMS if hasattr(room, model.__name__))
    assert list(model.model_fields) == list(theirs.model_fields)
    assert _types(model) == _types(theirs)


def _types(model: type[BaseModel]) -> list[str]:
    """The classes differ, their names do not."""
    texts = [str(field.annotation) for field in model.model_fields.values()]
    return [re.sub(r"\b(?:client\.(?:reading_)?models|api\.schemas\.\w+)\.", "", text) for text in texts]
