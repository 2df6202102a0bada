"""The client's own words are those of the service: same fields, same types."""

import pytest
from pydantic import BaseModel

import api.access_schemas
import api.board_schemas
import client.models

SHARED = [
    model
    for model in vars(client.models).values()
    if isinstance(model, type)
    and issubclass(model, BaseModel)
    and model.__module__ == "client.models"
    and not model.__name__.startswith("_")
]


@pytest.mark.parametrize("model", SHARED, ids=lambda model: model.__name__)
def test_the_client_reads_every_field_that_the_service_writes(model: type[BaseModel]) -> None:
    rooms = (api.access_schemas, api.board_schemas, api.schemas)
    theirs = next(getattr(room, model.__name__) for room in rooms if hasattr(room, model.__name__))
    # The classes differ, their names do not.
    plain = [
        str(field.annotation)
        .replace("client.models.", "")
        .replace("api.schemas.", "")
        .replace("api.board_schemas.", "")
        for field in model.model_fields.values()
    ]
    expected = [
        str(field.annotation).replace("api.schemas.", "").replace("api.board_schemas.", "")
        for field in theirs.model_fields.values()
    ]
    assert list(model.model_fields) == list(theirs.model_fields)
    assert plain == expected
