"""Training processes from outside: what they may know of their worker's environment, and how those that an earlier
attempt left are ended."""

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress

import psutil
import pytest

from runs.settings import Settings
from trapo_core.errors import BusyError
from worker.processes import end_earlier, environment, started_at

Started = tuple["subprocess.Popen[bytes]", float, psutil.Process]


def test_a_loggers_own_variables_reach_the_process_and_the_services_secrets_do_not(
    make_settings: Callable[..., Settings],
) -> None:
    loggers = {"WANDB_API_KEY": "k", "MLFLOW_TRACKING_URI": "http://mlflow", "TRACKIO_SERVER_URL": "http://trackio"}
    secrets = {"TRAPO_DATABASE_URL": "postgresql://u:p@h/d", "POSTGRES_PASSWORD": "p", "AWS_SECRET_ACCESS_KEY": "s"}
    made = environment(make_settings(), loggers | secrets, None)
    assert loggers.items() <= made.items()
    assert not secrets.keys() & made.keys()


@pytest.fixture
def led() -> Iterator[Started]:
    """A process with a session of its own, its start, and another that it started; it goes when its stdin ends."""
    command = ["sh", "-c", "sleep 600 >/dev/null & echo $!; read word"]
    leader = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)
    assert leader.stdin and leader.stdout
    member = psutil.Process(int(leader.stdout.readline()))
    with leader:
        yield leader, started_at(leader.pid), member
        with suppress(psutil.NoSuchProcess):
            member.kill()


def lives(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_what_an_earlier_attempt_left_is_killed_with_all_that_it_started(led: Started) -> None:
    leader, began, member = led
    assert end_earlier(leader.pid, began)
    assert leader.wait(5) == -9
    assert not lives(member)
    assert not end_earlier(leader.pid, began), "now there is nothing"


def test_what_outlived_its_leader_is_killed_too(led: Started) -> None:
    leader, began, member = led
    leader.communicate()
    assert lives(member)
    assert end_earlier(leader.pid, began)
    assert not lives(member)


@pytest.mark.parametrize("later_s", [-600.0, 600.0])
def test_the_session_of_another_process_with_the_same_number_is_left_alone(led: Started, later_s: float) -> None:
    leader, began, member = led
    assert not end_earlier(leader.pid, began + later_s)
    leader.communicate()
    assert not end_earlier(leader.pid, began + 600)
    assert not end_earlier(leader.pid, psutil.boot_time() - 600), "that was before the host's start"
    assert lives(member)


def test_our_own_session_is_left_alone() -> None:
    child = subprocess.Popen(["sleep", "600"])
    try:
        for number in (os.getsid(0), os.getpgrp()):
            assert not end_earlier(number, psutil.boot_time())
        assert child.poll() is None
    finally:
        child.kill()
        child.wait()


def test_what_is_killed_and_stays_is_said_to_be_busy(led: Started) -> None:
    leader, began, _ = led
    with pytest.raises(BusyError, match=rf"\b{leader.pid}\b"):
        end_earlier(leader.pid, began, wait_s=-1)
    leader.wait(5)
