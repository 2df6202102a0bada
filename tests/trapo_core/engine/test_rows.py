"""Keys and values are let go when nobody needs them, not when the garbage collector comes by."""

import gc
import weakref
from collections.abc import Iterator
from typing import Any

import pytest

from trapo_core.engine import BatchingEngine, complete
from trapo_core.engine.rows import Rows
from trapo_core.model import Policy

from .conftest import same_again, world_requests

Stores = "weakref.WeakSet[object]"


@pytest.fixture
def stores(monkeypatch: pytest.MonkeyPatch) -> "Iterator[Stores]":
    """The memory of all rows that are made, as long as it lives; without a garbage collector."""
    made: Stores = weakref.WeakSet()
    begin = Rows.__init__

    def noting(self: Rows, *arguments: Any, **named: Any) -> None:
        begin(self, *arguments, **named)
        made.add(self.store)

    monkeypatch.setattr(Rows, "__init__", noting)
    gc.disable()
    yield made
    gc.enable()


@pytest.mark.parametrize("record", [None, same_again])
def test_an_engine_holds_one_store_however_often_it_grows(policy: Policy, stores: "Stores", record: Any) -> None:
    engine = BatchingEngine(policy, record=record)
    for tokens in (8, 40, 90):
        complete(engine, world_requests(policy, 3, tokens=tokens))
        engine.weights_changed()
        assert len(stores) == 1
    engine.close()
    assert len(stores) == 0
