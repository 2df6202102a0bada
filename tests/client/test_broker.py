import subprocess
import tempfile
import time
from pathlib import Path
from urllib.parse import quote

import pytest
from kombu import Connection

from client import broker
from client.errors import ClientError


def test_a_named_redis_comes_first(tmp_path: Path) -> None:
    chosen = broker.choose(tmp_path, {"TRAPO_REDIS_URL": "redis://:secret@host/0", "PATH": "/usr/bin"})
    assert (chosen.url, chosen.program) == ("redis://:secret@host/0", None)


@pytest.mark.parametrize("name", ["redis-server", "valkey-server"])
def test_then_one_in_the_path(tmp_path: Path, name: str) -> None:
    program = tmp_path / name
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    assert broker.choose(tmp_path, {"PATH": str(tmp_path)}).program == program


def test_then_the_one_in_the_wheel(tmp_path: Path) -> None:
    chosen = broker.choose(tmp_path, {"PATH": str(tmp_path)})
    assert chosen.program == broker.bundled()
    assert chosen.url == f"redis+socket://{quote(str(tmp_path))}/redis.sock"


def test_without_any_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broker, "bundled", lambda: None)
    with pytest.raises(ClientError, match=r"trapo\[embedded\]"):
        broker.choose(tmp_path, {"PATH": str(tmp_path)})


def test_a_home_too_deep_for_a_socket_gets_one_elsewhere(tmp_path: Path) -> None:
    place = broker.socket_path(tmp_path / ("deep" * 30))
    assert len(str(place)) <= broker.LONGEST_PATH
    assert place.parent.stat().st_mode & 0o777 == 0o700
    place.parent.rmdir()


def test_the_bundled_server_answers_and_carries_messages() -> None:
    # pytest's own folders may be too deep for a socket.
    with tempfile.TemporaryDirectory(prefix="trapo-test-") as folder:
        chosen = broker.choose(Path(folder), {"PATH": folder})
        assert chosen.socket is not None
        assert not broker.answers(chosen.socket)
        process = subprocess.Popen(chosen.command(Path(folder)), stdout=subprocess.DEVNULL)
        try:
            wait_until(chosen.socket)
            with Connection(chosen.url) as connection, connection.SimpleQueue("doorbell") as queue:
                queue.put({"run_id": "run_1"})
                assert queue.get(timeout=5).payload == {"run_id": "run_1"}
        finally:
            process.terminate()
            process.wait(10)


def wait_until(place: Path) -> None:
    deadline = time.monotonic() + 10
    while not broker.answers(place):
        assert time.monotonic() < deadline
        time.sleep(0.02)
