"""`trapo up` as a person uses it: the real broker, api and worker, started and stopped by the real command. Only the
training process is scripted, so that it takes seconds."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

TRAPO = (str(Path(sys.executable).parent / "trapo"),)
SPEC = (
    "name: chains\nmodel: {source: small_world}\ndata: {format: small_world}\nsampling: {max_tokens: 40}\nsteps: 20\n"
)
STEPS = 20

pytestmark = pytest.mark.service


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    file = tmp_path / "spec.yaml"
    file.write_text(SPEC)
    return file


@pytest.fixture
def place() -> Iterator[Path]:
    """A home that is not there yet."""
    with tempfile.TemporaryDirectory(prefix="trapo-up-") as folder:
        yield Path(folder) / "home"


@pytest.fixture
def environment(place: Path, scripted: list[str]) -> dict[str, str]:
    times = {"TRAPO_LEASE_S": "1.5", "TRAPO_HEARTBEAT_S": "0.2", "TRAPO_SWEEP_S": "0.2", "TRAPO_RETRY_BACKOFF_S": "0.1"}
    ours = {"TRAPO_HOME": str(place), "TRAPO_PORT": "0", "TRAPO_TRAINING_COMMAND": json.dumps([*scripted, "slow"])}
    return {**os.environ, **times, **ours}


@pytest.fixture
def trapo(environment: dict[str, str]) -> Callable[..., subprocess.CompletedProcess[str]]:
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [*TRAPO, *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)

    return run


@pytest.fixture
def service(environment: dict[str, str], place: Path) -> Iterator[subprocess.Popen[str]]:
    """`trapo up`, ready to serve."""
    process = subprocess.Popen(
        [*TRAPO, "up"], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert process.stdout
    seen = ""
    while "Serving." not in seen:
        line = process.stdout.readline()
        assert line, f"trapo up ended: {seen}"
        seen += line
    yield process
    process.terminate()  # SIGINT may be ignored where the tests run in the background
    process.communicate(timeout=60)


def eventually(fact: Callable[[], Any], within_s: float = 60.0) -> Any:
    deadline = time.monotonic() + within_s
    while not (found := fact()):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return found


def test_submit_and_exit(spec: Path, place: Path, trapo: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    done = trapo("up", "--submit", str(spec), "--exit")
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"log in +http://127\.0\.0\.1:\d+/login#token=", done.stdout)
    assert "chains: training 20/20" in done.stdout
    assert "chains avg@4 0.750 [0.700, 0.800]" in done.stdout
    assert place.stat().st_mode & 0o777 == 0o700
    assert not (place / "service.json").exists()
    # Nothing that was started is left.
    assert not [one for one in psutil.process_iter(["cmdline"]) if str(place) in " ".join(one.info["cmdline"] or [])]


def test_a_home_has_one_supervisor(service: object, trapo: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    second = trapo("up")
    assert second.returncode == 2
    assert "is in use by `trapo up`" in second.stderr


def test_a_taken_port_is_said_before_anything_starts(
    place: Path, trapo: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = trapo("up", "--port", str(taken.getsockname()[1]))
    assert done.returncode == 2
    assert "--port 0 takes a free one" in done.stderr
    assert not (place / "trapo.db").exists()


def test_an_address_that_others_can_reach_is_refused_without_a_word_about_tls(
    environment: dict[str, str], trapo: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    environment["TRAPO_HOST"] = "0.0.0.0"
    done = trapo("up")
    assert done.returncode == 1
    assert "TRAPO_TLS_TERMINATED_BY_PROXY" in done.stderr


def test_a_child_that_cannot_start_shows_its_log(
    environment: dict[str, str], trapo: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    environment["TRAPO_DATABASE_URL"] = "postgresql+psycopg://nobody@127.0.0.1:9/nothing"
    done = trapo("up")
    assert done.returncode == 1
    assert "migrate cannot start" in done.stderr
    assert "connection" in done.stderr.lower()


def test_the_commands_against_a_service(
    service: object, spec: Path, trapo: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    plan = trapo("submit", str(spec), "--dry-run", "--json")
    assert json.loads(plan.stdout)[0]["total_steps"] == STEPS
    run_id = json.loads(
        trapo("submit", str(spec), "--set", "name=second", "--set", f"steps={20 * STEPS}", "--json").stdout
    )[0]["id"]
    eventually(lambda: json.loads(trapo("show", run_id, "--json").stdout)["step"] >= 2)
    assert trapo("pause", run_id).returncode == 0
    assert trapo("follow", run_id).returncode == 4
    assert trapo("resume", run_id).returncode == 0
    assert trapo("cancel", run_id).returncode == 0
    cancelled = trapo("follow", run_id, "--json")
    assert cancelled.returncode == 3
    assert json.loads(cancelled.stdout)[0]["state"] == "cancelled"
    again = trapo("resume", run_id)
    assert again.returncode == 1
    assert "cancelled" in again.stderr
    assert "second" in trapo("ls").stdout
    assert "/login#token=" in trapo("login-link").stdout


def test_killed_children_come_back_and_the_run_succeeds(
    service: object, place: Path, spec: Path, trapo: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    run_id = json.loads(trapo("submit", str(spec), "--json").stdout)[0]["id"]
    eventually(lambda: json.loads(trapo("show", run_id, "--json").stdout)["step"] >= 3)
    noted = json.loads((place / "service.json").read_text())
    assert noted["roots"]["TRAPO_MODELS_DIR"] == str(place / "models")
    before = noted["children"]
    for name in ("worker", "api"):
        os.kill(before[name], signal.SIGKILL)
    done = trapo("follow", run_id, "--json")
    if done.returncode != 0:
        # The api was still starting when we asked.
        done = eventually(lambda: (again := trapo("follow", run_id, "--json")).returncode == 0 and again)
    result = json.loads(done.stdout)[0]
    assert (result["state"], result["steps"]) == ("succeeded", STEPS)
    after = json.loads((place / "service.json").read_text())["children"]
    assert all(before[name] != after[name] for name in ("worker", "api"))
    assert before["redis"] == after["redis"]


def test_killed_itself_it_leaves_no_children(service: subprocess.Popen[str], place: Path) -> None:
    children = json.loads((place / "service.json").read_text())["children"]
    service.kill()
    eventually(lambda: not any(psutil.pid_exists(pid) for pid in children.values()))
