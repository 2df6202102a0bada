"""The Python client against the real api: each call does there what its name says."""

import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from client import Client
from client.download import place_of
from client.errors import ApiError, ClientError, UsageError
from runs.life.leases import Lease
from runs.record import downloads
from runs.settings import Settings

Attempt = Callable[[str], tuple[Lease, Path]]
Finish = Callable[[Lease, str | None], None]
Until = Callable[[Callable[[], object]], None]


def test_a_clone_is_its_parent_with_some_fields_changed(client: Client, saved: str) -> None:
    made = client.clone(saved, {"optimizer.lr": 1e-4, "steps": 3}, from_checkpoint=4, priority=7)
    assert (made.parent_id, made.total_steps, made.priority) == (saved, 3, 7)
    assert made.spec["optimizer"]["lr"] == 1e-4
    assert made.overrides is not None and made.overrides["steps"] == 3
    with pytest.raises(ApiError) as caught:
        client.clone(saved, {"optimizer.rl": 1})
    assert caught.value.errors[0].pointer == "/overrides/optimizer.rl"


def test_a_sweep_is_a_run_for_each_value_and_seed(client: Client, run: str) -> None:
    spec = client.get(run).spec
    made = client.sweep(spec, {"optimizer.lr": [1e-4, 3e-4]}, [1, 2], name="rates")
    changed = [one.overrides for one in made.runs]
    assert changed[:2] == [{"optimizer.lr": 1e-4, "seed": 1}, {"optimizer.lr": 1e-4, "seed": 2}]
    assert [one.id for one in client.sweeps()] == [made.id]
    assert client.cancel_sweep(made.id).states == {"cancelled": 4}
    assert client.get_sweep(made.id).seeds == [1, 2]
    assert len(client.runs(sweep=made.id)) == 4


def test_a_sweep_is_archived_deleted_and_had_back_with_its_runs(client: Client, run: str) -> None:
    made = client.sweep(client.get(run).spec, {}, [1, 2])
    with pytest.raises(ApiError, match="409 conflict"):
        client.delete_sweep(made.id)
    client.cancel_sweep(made.id)
    assert client.archive_sweep(made.id).archived_at
    assert (client.sweeps(), [one.id for one in client.sweeps(archived=True)]) == ([], [made.id])
    assert client.unarchive_sweep(made.id).archived_at is None
    assert client.delete_sweep(made.id).deleted_at
    assert [one.id for one in client.sweeps(deleted=True)] == [made.id]
    assert client.undelete_sweep(made.id).deleted_at is None


def test_what_people_set_of_a_run_is_changed_and_the_rest_stays(client: Client, run: str) -> None:
    changed = client.change(run, tags=["paper"], priority=-3)
    assert (changed.name, changed.tags, changed.priority) == ("first", ["paper"], -3)
    assert client.change(run, notes="n", tags=[]).tags == []


def test_a_run_is_retried_archived_deleted_and_had_back(client: Client, run: str) -> None:
    client.cancel(run)
    assert client.retry(run).state == "queued"
    with pytest.raises(ApiError, match="409 conflict"):
        client.retry(run)
    client.cancel(run)
    assert client.archive(run).archived_at
    assert client.runs() == []
    assert [one.id for one in client.runs(archived=True)] == [run]
    assert client.unarchive(run).archived_at is None
    assert client.delete(run).deleted_at
    assert client.undelete(run).deleted_at is None


def test_a_log_is_read_by_bytes_and_as_it_comes(
    client: Client, run: str, attempt: Attempt, finish: Finish
) -> None:  # fmt: skip
    lease, log = attempt(run)
    log.write_text("one\ntwo\n")
    part = client.log_part(run, offset=4, limit=4)
    assert (part.attempt, part.offset, part.end, part.size, part.text) == (1, 4, 8, 8, "two\n")
    assert client.logs(run, attempt=1) == "one\ntwo\n"

    def go_on() -> None:
        time.sleep(0.3)
        with log.open("a") as file:
            file.write("the last wor")
        time.sleep(0.3)
        with log.open("a") as file:
            file.write("ds")
        finish(lease, None)

    thread = threading.Thread(target=go_on)
    thread.start()
    assert "".join(part.text for part in client.follow_log(run)) == "one\ntwo\nthe last words"
    assert [part.text for part in client.follow_log(run, attempt=1, offset=8)] == ["the last words"]
    thread.join()


def test_a_checkpoint_is_pinned_and_named(client: Client, saved: str) -> None:
    assert client.pin(saved, 2).pinned
    assert not client.unpin(saved, 2).pinned
    assert client.promote(saved, 4, "best").run_id == saved
    assert [(alias.name, alias.step) for alias in client.aliases()] == [("best", 4)]
    assert [one.aliases for one in client.checkpoints(saved)] == [[], ["best"]]


def test_a_checkpoint_is_downloaded_whole_and_again_without_harm(client: Client, saved: str, tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    files = client.download(saved, 4, tmp_path / "got", lambda *news: told.append(news))
    names = ["config.json", "model.safetensors", "trainer/state.json"]
    assert [str(file.relative_to(tmp_path / "got")) for file in files] == names
    assert files[1].read_bytes() == b"\4" * 5000
    assert ("model.safetensors", 5000, 5000) in told
    assert client.download(saved, 4, tmp_path / "got") == files
    assert sorted(str(file.relative_to(tmp_path / "got")) for file in (tmp_path / "got").rglob("*.*")) == names


@pytest.mark.parametrize("part", [b"", b"\4", b"\4" * 1234, b"\4" * 5000, b"\4" * 6000, b"other" * 300])
def test_a_download_goes_on_or_begins_anew_and_is_right(
    part: bytes, client: Client, saved: str, tmp_path: Path
) -> None:  # fmt: skip
    (tmp_path / "model.safetensors.part").write_bytes(part)
    client.download(saved, 4, tmp_path)
    assert (tmp_path / "model.safetensors").read_bytes() == b"\4" * 5000
    assert not list(tmp_path.rglob("*.part"))


def test_a_download_waits_while_the_service_reads_the_file_for_another(
    client: Client, saved: str, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, until: Until
) -> None:
    model = settings.run_dir(saved) / "checkpoints" / "step-000004" / "model.safetensors"
    gate, read = threading.Event(), downloads.read

    def slow(pieces: downloads.Pieces, start: int, end: int) -> Iterator[bytes]:
        assert pieces[0].path != model or gate.wait(30)
        return read(pieces, start, end)

    monkeypatch.setattr(downloads, "read", slow)
    answers: list[int] = []
    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(downloads.sha256, downloads.of_file(model))
        until(lambda: downloads._digests._being_read)

        def note(answer: httpx.Response) -> None:
            answers.append(answer.status_code)
            if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE:
                gate.set()

        client._http.event_hooks["response"].append(note)
        client.download(saved, 4, tmp_path)
        assert hashlib.sha256((tmp_path / "model.safetensors").read_bytes()).digest() == other.result()
    assert answers == [200, 200, 503, 200, 200]


def test_only_what_is_missing_is_fetched(client: Client, saved: str, tmp_path: Path) -> None:
    (tmp_path / "model.safetensors.part").write_bytes(b"\4" * 4000)
    asked: list[httpx.Request] = []
    client._http.event_hooks["request"].append(asked.append)
    client.download(saved, 4, tmp_path)
    assert [request.headers.get("Range") for request in asked] == [None, None, "bytes=3999-", None]


def test_a_file_of_somebody_else_is_not_written_over(client: Client, saved: str, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("mine")
    with pytest.raises(UsageError, match="is another file"):
        client.download(saved, 4, tmp_path)
    assert (tmp_path / "config.json").read_text() == "mine"


def test_no_name_leads_out_of_the_folder(tmp_path: Path) -> None:
    assert place_of(tmp_path, "a/b.json") == tmp_path / "a" / "b.json"
    for name in ("../evil", "/etc/passwd", "a/../../evil"):
        with pytest.raises(ClientError, match="outside"):
            place_of(tmp_path, name)


def test_keys_are_made_turned_and_taken_back(client: Client) -> None:
    made = client.make_key("alice", ["read"], expires_in_days=2)
    with Client(client.base_url, made.key) as alice:
        assert (alice.session().principal, alice.session().scopes) == ("alice", ["read"])
        fresh = client.rotate_key(made.id, overlap_s=0)
        with pytest.raises(ApiError, match="401"):
            alice.runs()
    with Client(client.base_url, fresh.key) as alice:
        assert alice.runs() == []
        assert {one.name for one in client.api_keys()} == {"admin", "alice"}
        client.delete_key(made.id)
        with pytest.raises(ApiError, match="401"):
            alice.runs()
