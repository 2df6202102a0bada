"""`trapo doctor`: what is well, what is not, and what to do."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from client import doctor
from client.doctor import ProbeFailed

Trapo = Callable[..., Any]


@pytest.fixture(autouse=True)
def no_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Loading it takes seconds, and what it finds is this machine's."""
    said = """import json; print(json.dumps({"version": "2.12", "cuda": None, "gpus": []}))"""
    monkeypatch.setattr(doctor, "TORCH", said)


def findings(trapo: Trapo) -> dict[str, dict[str, str]]:
    return {one["name"]: one for one in trapo("doctor", "--json").json}


def test_a_new_machine_is_told_what_to_start(trapo: Trapo, home: Path) -> None:
    found = findings(trapo)
    assert list(found) == ["Python", "torch", "CUDA", "Redis", "database", "disk", "key", "service"]
    assert "`trapo up` makes one" in found["database"]["text"]
    assert "`trapo up`" in found["service"]["remedy"]
    assert not (home / "trapo.db").exists()


def test_a_service_that_is_well_is_said_to_be(trapo: Trapo, service: str, home: Path) -> None:
    said = trapo("doctor")
    assert said.status == 0, said.out
    assert len(said.out.splitlines()) == 8
    assert "has the newest schema" in said.out
    assert f"{service} knows you as admin" in said.out


def test_the_service_and_key_of_the_options_are_asked(trapo: Trapo, service: str, home: Path) -> None:
    key = (home / "admin-key").read_text().strip()
    (home / "service.json").unlink()
    (home / "admin-key").unlink()
    said = trapo("doctor", "--url", service, "--api-key", key)
    assert said.status == 0, said.out
    assert "that of --api-key" in said.out
    assert f"{service} knows you as admin" in said.out


def test_what_is_wrong_has_a_remedy(trapo: Trapo, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "trapo.db").write_bytes(b"")
    (home / "admin-key").write_text("trapo_x")
    (home / "admin-key").chmod(0o644)
    (home / "service.json").write_text('{"url": "http://127.0.0.1:9"}')
    monkeypatch.setenv("TRAPO_REDIS_URL", "redis://127.0.0.1:9/0")
    monkeypatch.setenv("TRAPO_MIN_FREE_BYTES", str(10**18))
    found = findings(trapo)
    wrong = {name: one["remedy"] for name, one in found.items() if one["verdict"] == "wrong"}
    assert list(wrong) == ["Redis", "database", "disk", "key", "service"]
    assert "runs.migrate" in wrong["database"] and "chmod 600" in wrong["key"]
    assert trapo("doctor").status == 1


def test_an_old_python_is_wrong() -> None:
    assert doctor.python((3, 10, 1)).verdict == "wrong"


def test_a_probe_that_fails_says_its_last_line() -> None:
    with pytest.raises(ProbeFailed, match="No module named 'nowhere'"):
        doctor.probe("import nowhere", dict(os.environ))


def test_a_redis_that_answers_is_well(home: Path, redis_url: str) -> None:
    found = doctor.redis(home, {**os.environ, "TRAPO_REDIS_URL": redis_url})
    assert found.verdict == "ok", found
