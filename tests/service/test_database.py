"""PostgreSQL cuts every connection under a running attempt: the run goes on, nothing is lost or doubled."""

import time

import psycopg
import pytest

from runs.db import reading
from runs.record import curves

pytestmark = pytest.mark.service


def test_connections_cut_in_mid_run_cost_nothing(
    postgres_engine, make_settings, redis_url, make_run, read_run, until, spawn
):
    engine = postgres_engine
    url = engine.url.render_as_string(hide_password=False)
    settings = make_settings(redis_url=redis_url, lease_s=8, database_url=url)
    run_id = make_run(engine, "steps=120 pace=0.05 save_every=5")
    spawn("worker", settings)
    until(lambda: read_run(engine, run_id).step > 10, 30)
    for _ in range(3):
        with engine.connect() as connection:
            connection.exec_driver_sql(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        step = read_run(engine, run_id).step
        until(lambda step=step: read_run(engine, run_id).step > step, 20)
    until(lambda: read_run(engine, run_id).state == "succeeded", 40)
    run = read_run(engine, run_id)
    assert run.attempts == 1
    with reading(engine) as session:
        assert curves.read_curve(session, run_id, "reward/unguided", 1000).steps == list(range(1, 121))


def test_an_attempt_that_ends_while_the_database_is_away_is_closed_when_it_is_back(
    postgres_engine, postgres_server, make_settings, redis_url, make_run, read_run, until, spawn, tmp_path
):
    url = postgres_engine.url.render_as_string(hide_password=False)
    settings = make_settings(redis_url=redis_url, lease_s=15, database_url=url)
    run_id = make_run(postgres_engine, "steps=40 pace=0.05")
    spawn("worker", settings)
    until(lambda: read_run(postgres_engine, run_id).step > 5, 30)
    name = postgres_engine.url.database
    with psycopg.connect(host=str(postgres_server), user="postgres", dbname="postgres", autocommit=True) as connection:
        connection.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
        until(lambda: '"ended"' in (settings.run_dir(run_id) / "events.jsonl").read_text(), 10)
        time.sleep(1)
        connection.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')
    until(lambda: read_run(postgres_engine, run_id).state == "succeeded", 10)
    assert read_run(postgres_engine, run_id).attempts == 1
    said = (tmp_path / "worker-0.log").read_text().count(f"{run_id}: the database is away")
    assert said == 1, "it is told once, not at each look"
