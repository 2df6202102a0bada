"""Readiness: the truth of the last second, for one question to the database."""

import asyncio

import pytest
from sqlalchemy import event

from api.readiness import Readiness
from runs.migrate import newest


class Clock:
    at = 0.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def asked(any_engine):
    """A readiness, its clock, and how often the database was asked."""
    clock, questions = Clock(), []
    event.listen(any_engine, "engine_connect", lambda connection: questions.append(connection))
    return Readiness(any_engine, clock), clock, questions


def ask(readiness, times=1):
    async def together():
        return await asyncio.gather(*(readiness.ready() for _ in range(times)))

    return asyncio.run(together())


def test_a_crowd_is_one_question(asked):
    readiness, _, questions = asked
    assert ask(readiness, 50) == [True] * 50
    assert len(questions) == 1


def test_an_answer_is_remembered_for_a_second_whatever_it_was(asked, any_engine):
    readiness, clock, questions = asked
    at_revision(any_engine, "0001")
    assert ask(readiness) == [False]
    at_revision(any_engine, newest())
    questions.clear()
    clock.at = 0.9
    assert ask(readiness) == [False]
    assert questions == []
    clock.at = 1.0
    assert ask(readiness) == [True]


def at_revision(engine, revision):
    with engine.begin() as connection:
        connection.exec_driver_sql(f"UPDATE alembic_version SET version_num = '{revision}'")
