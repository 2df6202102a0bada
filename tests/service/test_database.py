"""PostgreSQL cuts every connection under a running attempt: the run goes on, nothing is lost or doubled."""

import pytest

from runs import curves
from runs.db import reading

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
