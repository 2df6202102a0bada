"""The commands over the real api: what a person or a program reads, and the exit status."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from client import Client
from runs.life.leases import Lease
from tests.client.conftest import SPEC

Trapo = Callable[..., Any]
Attempt = Callable[[str], tuple[Lease, Path]]
Finish = Callable[[Lease, str | None], None]


def test_logs_are_shown_whole_in_part_and_to_the_last_word(
    trapo: Trapo, run: str, attempt: Attempt, finish: Finish
) -> None:
    lease, log = attempt(run)
    log.write_text("one [red]\ntwo\nthe last words")
    finish(lease, None)
    assert trapo("logs", run) == (0, "one [red]\ntwo\nthe last words", "")
    assert trapo("logs", run, "--follow").out == "one [red]\ntwo\nthe last words"
    assert trapo("logs", run, "--offset", 10).out == "two\nthe last words"
    assert trapo("logs", run, "--offset", 10, "--limit", 4, "--json").json_lines == [
        {"attempt": 1, "offset": 10, "text": "two\n", "end": 14, "size": 28}
    ]
    assert [line["offset"] for line in trapo("logs", run, "-f", "--offset", 14, "--json").json_lines] == [14]
    assert trapo("logs", run, "--limit", 4).status == 2
    assert trapo("logs", "run_none").status == 1


def test_events_are_a_line_each_until_the_run_ends(trapo: Trapo, run: str, attempt: Attempt, finish: Finish) -> None:
    finish(attempt(run)[0], "nan_loss")
    followed = trapo("events", run, "-f", "--json").json_lines
    assert followed == trapo("events", run, "--json").json_lines
    assert followed[0]["type"] == "run_created"
    assert followed[-1]["data"]["reason"] == "nan_loss"
    assert '"reason": "nan_loss"' in trapo("events", run).out
    assert "no run run_none" in trapo("events", "run_none").err


def test_a_run_is_retried_archived_removed_and_had_back(trapo: Trapo, run: str) -> None:
    assert trapo("retry", run).status == 1
    trapo("cancel", run)
    assert "queued" in trapo("retry", run).out
    trapo("cancel", run)
    assert "archived" in trapo("archive", run).out
    assert trapo("ls", "--json").json == []
    assert [one["id"] for one in trapo("ls", "--only", "archived", "--json").json] == [run]
    assert "archived" not in trapo("archive", run, "--undo").out
    assert "deleted" in trapo("rm", run).out
    assert [one["id"] for one in trapo("ls", "--only", "deleted", "--json").json] == [run]
    assert trapo("undelete", run, "--json").json[0]["deleted_at"] is None


def test_a_clone_says_what_is_wrong_with_an_override(trapo: Trapo, saved: str) -> None:
    [made] = trapo("clone", saved, "--set", "steps=3", "--from-checkpoint", 4, "--json").json
    assert (made["parent_id"], made["total_steps"]) == (saved, 3)
    wrong = trapo("clone", saved, "--set", "optimizer.rl=1")
    assert wrong.status == 2
    assert "/overrides/optimizer.rl: there is no such field." in wrong.err
    assert trapo("clone", saved, "--set", "steps").status == 2


def test_a_sweep_is_told_run_by_run(trapo: Trapo, client: Client, tmp_path: Path) -> None:
    file = tmp_path / "spec.yaml"
    file.write_text("model: {source: small_world}\ndata: {format: small_world}\nsampling: {max_tokens: 40}\nsteps: 2\n")
    made = trapo("sweep", file, "--set", "optimizer.lr=1e-4,3e-4", "--seeds", "0-1", "--name", "rates")
    assert made.status == 0, made.err
    assert "rates  4 runs" in made.out
    assert "optimizer.lr=1e-4, seed=0" in made.out
    assert len(client.runs()) == 4
    assert len(trapo("sweep", file, "--seeds", "7", "--json").json["runs"]) == 1
    assert trapo("sweep", file, "--seeds", "many").status == 2


def test_a_sweep_stands_for_its_runs_beside_runs(trapo: Trapo, client: Client, run: str) -> None:
    assert "No sweeps" in trapo("sweeps").out
    made = client.sweep(client.get(run).spec, {}, [1, 2], name="seeds").id
    assert "2 queued" in trapo("sweeps").out
    refused = trapo("rm", made)
    assert (refused.status, f"of sweep {made} is queued" in refused.err) == (1, True)
    assert trapo("cancel", run, made).out.splitlines()[1] == f"{made}  seeds  2 cancelled"
    assert "archived" in trapo("archive", made).out
    assert [one["id"] for one in trapo("sweeps", "--only", "archived", "--json").json] == [made]
    assert "archived" not in trapo("archive", made, "--undo").out
    assert "2 cancelled, deleted" in trapo("rm", made).out
    assert trapo("sweeps", "--json").json == []
    assert trapo("undelete", made, "--json").json[0]["deleted_at"] is None


def test_what_is_asked_run_by_run_is_asked_of_the_runs_of_a_sweep_that_it_fits(
    trapo: Trapo, client: Client, run: str
) -> None:
    made = client.sweep(client.get(run).spec, {}, [1, 2], name="seeds")
    first, second = (one.id for one in made.runs)
    assert [one["id"] for one in trapo("pause", made.id, "--json").json] == [first, second]
    client.cancel(first)
    resumed = trapo("resume", made.id, run)
    assert [line.split()[0] for line in resumed.out.splitlines()] == [second]
    assert (resumed.status, f"Run {run} is queued already." in resumed.err) == (1, True)
    assert trapo("retry", made.id, "--json").json[0]["id"] == first
    assert len(trapo("priority", made.id, 3, "--json").json) == 2
    nothing = trapo("retry", made.id)
    assert (nothing.status, "has no run of which that can be asked. Its runs: 2 queued." in nothing.err) == (1, True)
    assert "no sweep swp_none" in trapo("pause", "swp_none", run).err
    assert client.get(run).state == "queued"


def test_a_sweep_is_shown_followed_and_its_runs_are_listed(trapo: Trapo, client: Client, run: str) -> None:
    made = client.sweep(client.get(run).spec, {"optimizer.lr": [1e-4, 3e-4]}, [1], name="rates")
    shown = trapo("show", made.id)
    assert "rates" in shown.out and "0.0001, 0.0003" in shown.out
    assert all(one.id in shown.out for one in made.runs)
    assert trapo("show", made.id, "--json").json["id"] == made.id
    assert {one["id"] for one in trapo("ls", "--sweep", made.id, "--json").json} == {one.id for one in made.runs}
    client.cancel_sweep(made.id)
    followed = trapo("follow", made.id, "--json")
    assert (followed.status, [one["state"] for one in followed.json]) == (3, ["cancelled", "cancelled"])


def test_a_priority_is_given_when_a_run_or_sweep_is_made(trapo: Trapo, client: Client, tmp_path: Path) -> None:
    file = tmp_path / "spec.json"
    file.write_text(json.dumps(SPEC))
    assert trapo("submit", file, "--priority", 7, "--json").json[0]["priority"] == 7
    made = trapo("sweep", file, "--seeds", "1", "--priority", -7, "--json").json
    assert client.get(made["runs"][0]["id"]).priority == -7


def test_nothing_is_submitted_of_several_specs_when_the_service_refuses_one_and_all_that_is_wrong_is_told(
    trapo: Trapo, client: Client, tmp_path: Path
) -> None:
    good, bad, worse = (tmp_path / f"{name}.json" for name in ("good", "bad", "worse"))
    good.write_text(json.dumps(SPEC))
    bad.write_text(json.dumps(SPEC | {"model": {"source": "folder", "path": "nowhere"}}))
    worse.write_text(json.dumps(SPEC | {"model": {"source": "folder", "path": "none"}}))
    refused = trapo("submit", good, bad, worse, "--json")
    assert (refused.status, refused.json, client.runs()) == (2, [], [])
    assert f"{bad}: The spec cannot be run.\n  /model" in refused.err
    assert f"{worse}: The spec cannot be run.\n  /model" in refused.err
    assert str(good) not in refused.err


def test_a_wrong_spec_of_several_in_a_file_is_named_by_its_number(trapo: Trapo, tmp_path: Path) -> None:
    file = tmp_path / "specs.json"
    file.write_text(json.dumps([SPEC, SPEC | {"stepz": 1}]))
    refused = trapo("submit", file)
    assert (refused.status, f"{file}, spec 2: The spec cannot be run.\n  /stepz" in refused.err) == (2, True)


def test_what_was_done_is_told_when_another_is_refused(trapo: Trapo, client: Client, run: str) -> None:
    other = client.submit(SPEC).id
    told = trapo("cancel", run, "run_none", other)
    assert [line.split()[0] for line in told.out.splitlines()] == [run, other]
    assert (told.status, "There is no run run_none." in told.err) == (1, True)
    assert [one["id"] for one in trapo("rm", "run_none", other, "--json").json] == [other]


@pytest.mark.parametrize("verb", ["logs", "events", "checkpoints"])
def test_what_is_of_one_run_says_how_to_find_a_sweeps(trapo: Trapo, client: Client, verb: str) -> None:
    sweep = client.sweep(SPEC, {"steps": [1, 2]}).id
    told = trapo(verb, sweep)
    assert (told.status, f"{sweep} is a sweep" in told.err, f"trapo ls --sweep {sweep}" in told.err) == (1, True, True)


def test_no_more_is_asked_with_a_key_that_the_service_does_not_know(trapo: Trapo, run: str) -> None:
    told = trapo("cancel", run, run, "--api-key", "trapo_wrong")
    assert (told.status, told.out, len(told.err.splitlines())) == (1, "", 1)


def test_checkpoints_are_listed_kept_named_and_taken_away(
    trapo: Trapo, saved: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert [row["step"] for row in trapo("checkpoints", saved, "--json").json] == [2, 4]
    assert trapo("checkpoints", "pin", saved, 2).out == "step 2  pinned\n"
    assert "best" in trapo("checkpoints", "promote", saved, 4, "best").out
    table = trapo("checkpoints", "ls", saved).out.splitlines()
    assert "pinned" in table[1] and "best" in table[2]
    assert trapo("checkpoints", "unpin", saved, 2, "--json").json["pinned"] is False
    assert trapo("checkpoints", "download", saved, 4).out == f"{saved}-step-000004\n"
    assert (tmp_path / f"{saved}-step-000004" / "model.safetensors").read_bytes() == b"\4" * 5000
    got = trapo("checkpoints", "download", saved, 4, "--out", tmp_path / "got", "--json").json
    assert got["files"] == ["config.json", "model.safetensors", "trainer/state.json"]
    assert trapo("checkpoints", "pin", saved, 3).status == 1


def test_a_key_is_printed_alone_and_once(trapo: Trapo, service: str) -> None:
    made = trapo("keys", "create", "alice", "--scopes", "read", "--days", 1)
    key = made.out.strip()
    assert "not shown again" in made.err
    assert trapo("ls", "--api-key", key, "--json").json == []
    assert trapo("keys", "ls", "--api-key", key).status == 1
    [row] = [row for row in trapo("keys", "ls", "--json").json if row["name"] == "alice"]
    assert "key" not in row
    fresh = trapo("keys", "rotate", row["id"], "--overlap", 0, "--json").json["key"]
    assert trapo("ls", "--api-key", key).status == 1
    assert trapo("keys", "revoke", row["id"]).status == 0
    assert trapo("ls", "--api-key", fresh).status == 1
    assert trapo("keys", "create", "bob", "--scopes", "root").status == 2


def test_show_tells_tags_and_notes(trapo: Trapo, run: str, client: Client) -> None:
    assert "notes" not in trapo("show", run).out
    client.change(run, tags=["paper"], notes="lr was [too] high")
    shown = trapo("show", run).out
    assert "paper" in shown
    assert "lr was [too] high" in shown


def test_a_run_that_waits_is_given_another_priority(trapo: Trapo, run: str) -> None:
    assert "queued, priority 7" in trapo("priority", run, 7).out
    assert trapo("priority", run, -5, "--json").json[0]["priority"] == -5
    assert "-5" in trapo("show", run).out
    trapo("cancel", run)
    refused = trapo("priority", run, 1)
    assert (refused.status, "is cancelled, so it cannot" in refused.err) == (1, True)
    assert trapo("priority", run, 101).status == 2
    assert trapo("priority", run, 1, "--nonsense").status == 2
