"""Connections: a database that is not there, or has none to spare, is noticed soon."""

import socket
import time

import pytest
from sqlalchemy.exc import OperationalError

from runs.db import AWAY, NETWORK, make_engine


def test_a_host_that_vanishes_is_noticed_within_seconds(postgres_engine):
    with postgres_engine.connect() as connection:
        asked = connection.connection.driver_connection.info.get_parameters()
    assert {name: asked[name] for name in NETWORK} == {name: str(value) for name, value in NETWORK.items()}
    assert NETWORK["keepalives_idle"] + NETWORK["keepalives_interval"] * NETWORK["keepalives_count"] <= 20


def test_a_url_may_say_how_long_to_wait_for_a_host_that_says_nothing():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        engine = make_engine(f"postgresql://127.0.0.1:{silent.getsockname()[1]}/none?user=a&connect_timeout=2")
        began = time.monotonic()
        with pytest.raises(OperationalError):
            engine.connect()
        assert time.monotonic() - began < NETWORK["connect_timeout"]


def test_a_pool_without_a_free_connection_is_a_database_that_is_away(any_engine, monkeypatch):
    monkeypatch.setattr(any_engine.pool, "_max_overflow", 0)
    monkeypatch.setattr(any_engine.pool, "_timeout", 0.05)
    held = [any_engine.connect() for _ in range(any_engine.pool.size())]
    with pytest.raises(AWAY):
        any_engine.connect()
    for connection in held:
        connection.close()
