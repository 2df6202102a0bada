"""The command as a person meets it: words on the screen and exit statuses."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from client import cli, places
from client.errors import UsageError
from client.watch import exit_status
from trapo_core.methods import METHODS

SPEC = "model: {source: small_world}\ndata: {format: small_world}\nsteps: 2\n"


def trapo(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["trapo", *arguments])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return int(ended.value.code or 0)


@pytest.fixture
def wrong_spec(tmp_path: Path) -> Path:
    file = tmp_path / "wrong.yaml"
    file.write_text("model: {source: small_world}\ndata: {format: small_world, problms: 3}\nsteps: 0\n")
    return file


@pytest.mark.parametrize("command", ["run", "submit"])
def test_a_wrong_spec_names_every_field_with_its_remedy(
    command: str, wrong_spec: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert trapo(monkeypatch, command, str(wrong_spec)) == 2
    said = capsys.readouterr().err
    assert "/data/problms: there is no such field." in said
    assert "Did you mean 'problems'?" in said
    assert "/steps: " in said


def test_nothing_is_made_for_a_wrong_spec(wrong_spec: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert trapo(monkeypatch, "run", str(wrong_spec), "--run-dir", str(tmp_path / "run")) == 2
    assert not (tmp_path / "run").exists()


def test_set_is_checked_like_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "spec.yaml"
    file.write_text(SPEC)
    assert trapo(monkeypatch, "run", str(file), "--set", "method=trappo") == 2
    assert "Did you mean 'trapo'?" in capsys.readouterr().err


def test_methods_need_no_service(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert trapo(monkeypatch, "methods", "--json") == 0
    assert [row["name"] for row in json.loads(capsys.readouterr().out)] == list(METHODS)


def test_without_a_service_it_says_how_to_get_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert trapo(monkeypatch, "ls") == 2
    assert "`trapo up`" in capsys.readouterr().err


def test_exit_needs_submit(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert trapo(monkeypatch, "up", "--exit") == 2
    assert "--exit needs --submit" in capsys.readouterr().err


def test_an_unknown_option_is_wrong_use(monkeypatch: pytest.MonkeyPatch) -> None:
    assert trapo(monkeypatch, "ls", "--nonsense") == 2


@pytest.mark.parametrize(
    ("states", "status"),
    [
        (["succeeded"], 0),
        (["succeeded", "failed", "cancelled"], 1),
        (["cancelled", "paused"], 3),
        (["succeeded", "paused"], 4),
    ],
)
def test_the_exit_status_is_that_of_the_worst_run(states: list[str], status: int) -> None:
    assert exit_status(states) == status


def test_options_beat_environment_beats_files(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "service.json").write_text('{"url": "http://file", "pid": 1}')
    (home / "admin-key").write_text("file-key\n")
    assert places.locate() == places.Place("http://file", "file-key")
    monkeypatch.setenv("TRAPO_URL", "http://environment")
    monkeypatch.setenv("TRAPO_API_KEY", "environment-key")
    assert places.locate() == places.Place("http://environment", "environment-key")
    assert places.locate("http://option", "option-key") == places.Place("http://option", "option-key")


def test_a_service_without_a_key_says_where_keys_live(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="TRAPO_API_KEY"):
        places.locate("http://somewhere")


def test_the_command_is_installed() -> None:
    done = subprocess.run(
        [str(Path(sys.executable).parent / "trapo"), "--help"], capture_output=True, text=True, check=True
    )
    assert "login-link" in done.stdout


def test_methods_are_listed_a_line_each_with_what_they_are_and_their_paper(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert trapo(monkeypatch, "methods") == 0
    _, *lines = capsys.readouterr().out.splitlines()
    for line, method in zip(lines, METHODS.values(), strict=True):
        assert line.split()[0] == method.name
        assert method.summary in line
        assert line.rstrip().endswith(method.paper)


def test_an_exported_checkpoint_lies_in_the_run_unless_told_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    body = {"model": {"source": "small_world"}, "data": {"format": "small_world"}, "steps": 2}
    (tmp_path / "spec.json").write_text(json.dumps(body))
    assert trapo(monkeypatch, "export", str(tmp_path)) == 2
    assert "has no checkpoint. Give the folder of a run that has saved one." in capsys.readouterr().err
    checkpoint = tmp_path / "checkpoints" / "step-000002"
    (checkpoint / "trainer").mkdir(parents=True)
    (checkpoint / "trainer" / "state.json").write_text("{}")
    (checkpoint / "model.safetensors").write_bytes(b"weights")
    assert trapo(monkeypatch, "export", str(tmp_path), "--json") == 0
    folder = tmp_path / "exports" / "step-000002"
    assert json.loads(capsys.readouterr().out) == {"folder": str(folder), "url": None}
    assert sorted(path.name for path in folder.iterdir()) == ["README.md", "model.safetensors"]
    assert trapo(monkeypatch, "export", str(tmp_path)) == 2
    assert "exists. Give another --out." in capsys.readouterr().err
