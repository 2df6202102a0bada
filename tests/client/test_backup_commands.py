"""`trapo backup` and `trapo restore`, as an operator types them, beside a service that runs."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

Trapo = Callable[..., Any]


def test_a_running_service_is_backed_up_and_restored_into_another_home(
    trapo: Trapo, saved: str, home: Path, tmp_path: Path
) -> None:
    file, other = tmp_path / "b.tar", tmp_path / "other"
    taken = trapo("backup", file, "--json").json
    checked = trapo("backup", "--verify", file)
    assert taken["digest"] in checked.out
    assert "whole" in checked.out
    assert trapo("restore", file, "--home", other, "--json").json["digest"] == taken["digest"]
    assert (other / "runs" / saved / "events.jsonl").read_bytes() == (
        home / "runs" / saved / "events.jsonl"
    ).read_bytes()
    again = trapo("restore", file, "--home", other)
    assert (again.status, again.out) == (1, "")
    assert "not empty" in again.err


def test_what_is_no_backup_is_said_to_be_none(trapo: Trapo, tmp_path: Path) -> None:
    assert "There is no file" in trapo("restore", tmp_path / "none.tar").err
    (tmp_path / "b.tar").write_bytes(bytes(20_000))
    assert "no backup" in trapo("backup", "--verify", tmp_path / "b.tar").err
