"""Connections: a database that is not there, or has none to spare, is noticed soon. Rows: many go in as they are."""

import socket
import time

import pytest
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from runs.db import AWAY, NETWORK, insert_many, make_engine, reading, upsert_many, writing
from runs.tables import ProblemRow


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


def test_many_texts_go_in_as_they_are_and_only_what_is_fresh_is_written_over(any_engine, make_run):
    run_id = make_run(any_engine)
    texts = ["", "NULL", 'a "quoted" word', r"C:\new\t", "{1,2}", "two\nlines\tand a tab", "größe, 問題", "'; --", "\\"]
    names = ("run_id", "problem", "text", "visits", "last_step", "help", "alone")
    rows = [(run_id, text, text, 1, 2**40, 0.1 + 0.2, place or None) for place, text in enumerate(texts)]
    with writing(any_engine) as session:
        insert_many(session, ProblemRow, names, rows)
        insert_many(session, ProblemRow, names, [(*rows[0][:2], "left as it is", 9, 9, 9.0, 9.0)])
        again = [(run_id, text, "not this", 2, 3, 0.5, 1.0) for text in (texts[1], "new")]
        upsert_many(session, ProblemRow, names, again, ("visits", "alone"))
    with reading(any_engine) as session:
        found = {row.problem: row for row in session.scalars(select(ProblemRow))}
    assert {problem: row.text for problem, row in found.items()} == {text: text for text in texts} | {"new": "not this"}
    values = {problem: (row.visits, row.last_step, row.help, row.alone) for problem, row in found.items()}
    assert values.pop("NULL") == (2, 2**40, 0.1 + 0.2, 1.0)
    assert values.pop("new") == (2, 3, 0.5, 1.0)
    assert [values[text] for text in texts if text != "NULL"] == [
        (1, 2**40, 0.1 + 0.2, place or None) for place, text in enumerate(texts) if text != "NULL"
    ]
