"""`trapo gc` and `trapo reasons` over the real api."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from client import Client
from runs.states import REASONS

Trapo = Callable[..., Any]


def test_gc_shows_what_would_be_freed_and_then_frees_it(trapo: Trapo, client: Client, home: Path) -> None:
    orphan = home / "runs" / "run_of_nobody"
    orphan.mkdir(parents=True)
    (orphan / "file").write_bytes(bytes(2_000_000))
    for path in (orphan / "file", orphan):
        os.utime(path, (1e9, 1e9))
    said = trapo("gc", "--dry-run").out
    assert "runs/run_of_nobody" in said
    assert "2 MB and 0 rows would be freed." in said.replace("2.0", "2")
    assert orphan.exists()
    assert trapo("gc", "--json").json["bytes"] == 2_000_000
    assert not orphan.exists()
    assert trapo("gc").out == "0 kB and 0 rows freed.\n"


def test_what_gc_could_not_remove_is_told_with_the_reason(trapo: Trapo, client: Client, home: Path) -> None:
    orphan = home / "runs" / "run_of_nobody"
    orphan.mkdir(parents=True)
    os.utime(orphan, (1e9, 1e9))
    (home / "runs" / ".deleted-run_of_nobody").touch()  # in its way
    said = trapo("gc")
    assert said.status == 1
    assert "0 kB and 0 rows freed." in said.out
    assert "runs/run_of_nobody" in said.out and "Not a directory" in said.out
    assert trapo("gc", "--json").status == 1


def test_reasons_are_listed_with_their_advice(trapo: Trapo, client: Client) -> None:
    assert [one["reason"] for one in trapo("reasons", "--json").json] == list(REASONS)
    assert REASONS["oom_gpu"].advice in trapo("reasons").out
