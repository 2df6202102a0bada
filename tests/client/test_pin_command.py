"""`trapo pin` and `trapo submit --pin`, against a stand-in for the Hub."""

import json
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import constants

from client import Client

Trapo = Callable[..., Any]
MODEL, TAG, DATA = "a" * 40, "b" * 40, "c" * 40
SPEC = (
    "# a small one\nname: mine\nmethod: grpo\nmodel: {source: hub, id: o/model, revision: main}   # the base\n"
    "data: {format: openr1, hub: o/data, path: x.parquet}\nsteps: 2\n"
)
PINNED = SPEC.replace("revision: main", f"revision: {MODEL}").replace("o/data,", f"o/data, revision: {DATA},")
ANSWERS: dict[str, tuple[int, str, dict[str, Any]]] = {
    "/api/models/o/model/revision/main": (200, "", {"id": "o/model", "sha": MODEL, "gated": False}),
    "/api/models/o/model/revision/v%2F1": (200, "", {"id": "o/model", "sha": TAG, "gated": "auto"}),
    "/api/datasets/o/data/revision/main": (200, "", {"id": "o/data", "sha": DATA, "gated": False}),
    "/api/models/o/model/revision/none": (404, "RevisionNotFound", {}),
    "/api/models/o/gated/revision/main": (403, "GatedRepo", {}),
    "/api/models/o/ill/revision/main": (503, "", {}),
    "/api/models/o/odd/revision/main": (200, "", {"id": "o/odd"}),
}


class Hub(ThreadingHTTPServer):
    """What was asked, and with which token."""

    asked: list[tuple[str, str | None]]


class Answer(BaseHTTPRequestHandler):
    server: Hub

    def do_GET(self) -> None:
        if self.path.startswith(("/api/models/", "/api/datasets/")):  # the library has questions of its own too
            self.server.asked.append((self.path, self.headers.get("authorization")))
        status, code, body = ANSWERS.get(self.path, (401, "RepoNotFound", {}))
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        if code:
            self.send_header("X-Error-Code", code)
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing to the screen."""


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    server = Hub(("127.0.0.1", 0), Answer)
    server.asked = []
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    address = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setenv("HF_ENDPOINT", address)
    # The library reads its environment when it is imported, which another test may have done.
    monkeypatch.setattr(constants, "ENDPOINT", address)
    monkeypatch.setenv("HF_TOKEN", "hf_mine")
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    made = tmp_path / "spec.yaml"
    made.write_text(SPEC)
    return made


def test_branches_become_commits_and_the_rest_of_the_file_stays(trapo: Trapo, hub: Hub, file: Path) -> None:
    file.chmod(0o640)
    said = trapo("pin", file)
    assert said.status == 0, said.err
    assert file.read_text() == PINNED
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert f"/model  o/model  main → {MODEL}" in said.out
    assert f"/data  o/data  main → {DATA}" in said.out
    assert {token for _, token in hub.asked} == {"Bearer hf_mine"}
    assert not list(file.parent.glob(".*"))


def test_pinned_already_it_asks_and_changes_nothing(trapo: Trapo, hub: Hub, file: Path) -> None:
    file.write_text(PINNED)
    before = file.stat().st_mtime_ns
    assert "pinned already" in trapo("pin", file).out
    assert (hub.asked, file.stat().st_mtime_ns) == ([], before)


def test_check_asks_nobody_and_fails_where_something_moves(trapo: Trapo, hub: Hub, file: Path) -> None:
    said = trapo("pin", "--check", file)
    assert said.status == 1
    assert "/model/revision" in said.out and "/data/revision" in said.out
    assert [one["commit"] for one in trapo("pin", "--check", "--json", file).json] == [None, None]
    file.write_text(PINNED)
    assert trapo("pin", "--check", file)[:2] == (0, f"{file}  pinned\n")
    assert hub.asked == []


def test_another_file_is_written_and_the_first_one_stays(trapo: Trapo, hub: Hub, file: Path, tmp_path: Path) -> None:
    out = tmp_path / "pinned.yaml"
    assert [one["commit"] for one in trapo("pin", file, "--out", out, "--json").json] == [MODEL, DATA]
    assert (file.read_text(), out.read_text()) == (SPEC, PINNED)
    assert trapo("pin", file, file, "--out", out).status == 2


def test_a_tag_of_a_gated_model_says_what_the_workers_need(trapo: Trapo, hub: Hub, file: Path) -> None:
    file.write_text(SPEC.replace("main", "v/1"))
    said = trapo("pin", file)
    assert f"v/1 → {TAG}" in said.out
    assert "gated: the workers need HF_TOKEN" in said.out and "https://huggingface.co/o/model" in said.out


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        (("revision: main", "revision: none"), ["has no branch, tag or commit 'none'", "/o/model/tree/main"]),
        (("o/model", "o/gated"), ["gated", "Accept its terms", "HF_TOKEN"]),
        (("o/model", "o/nowhere"), ["not on the Hub", "HF_TOKEN"]),
        (("o/model", "o/ill"), ["answers 503"]),
        (("o/model", "o/odd"), ["names no commit"]),
    ],
)
def test_what_cannot_be_had_is_named_and_nothing_is_written(
    trapo: Trapo, hub: Hub, file: Path, changed: tuple[str, str], words: list[str]
) -> None:
    file.write_text(SPEC.replace(*changed))
    before = file.read_text()
    said = trapo("pin", file)
    assert said.status == 1
    assert "/model: model o/" in said.err
    assert all(word in said.err for word in words), said.err
    assert file.read_text() == before


def test_without_a_network_it_says_so(
    trapo: Trapo, hub: Hub, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    said = trapo("pin", file)
    assert said.status == 1
    assert "the Hub does not answer" in said.err and "HF_ENDPOINT" in said.err


def test_switched_off_it_says_by_what(trapo: Trapo, hub: Hub, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert "HF_HUB_OFFLINE" in trapo("pin", file).err


def test_a_spec_of_the_small_world_names_nothing(trapo: Trapo, file: Path) -> None:
    file.write_text("model: {source: small_world}\ndata: {format: small_world}\nsteps: 2\n")
    assert "names nothing of the Hub" in trapo("pin", file).out
    assert trapo("pin", "--check", file).status == 0
    assert trapo("pin", file.with_name("none.yaml")).status == 2


def test_as_a_program_of_its_own_it_heeds_the_hubs_own_variables(hub: Hub, file: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "client.cli", "pin", file], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert file.read_text() == PINNED


def test_submit_says_how_to_pin_and_pins_what_it_sends(trapo: Trapo, hub: Hub, client: Client, file: Path) -> None:
    refused = trapo("submit", file)
    assert refused.status == 2
    assert "/model/revision" in refused.err and "`trapo pin SPEC_FILE`" in refused.err
    assert "https://huggingface.co/datasets/o/data" in refused.err
    assert hub.asked == []
    sent = trapo("submit", "--pin", file)
    assert sent.status == 0, sent.err
    [made] = client.runs()
    spec = client.get(made.id).spec
    assert (spec["model"]["revision"], spec["data"]["revision"]) == (MODEL, DATA)
    assert file.read_text() == SPEC
    assert json.loads(trapo("submit", "--pin", "--dry-run", "--json", file).out)
