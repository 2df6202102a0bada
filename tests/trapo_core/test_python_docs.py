"""What docs/python.md shows runs as it stands there."""

import re
from pathlib import Path

import pytest

from trapo_core.logger_sinks import SINKS

PAGE = Path(__file__).parents[2] / "docs" / "python.md"


@pytest.mark.slow
def test_the_examples_for_python_run_one_after_the_other(
    models_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("tensorboard")
    monkeypatch.setenv("TRAPO_MODELS_DIR", str(models_dir))
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    assert len(blocks) > 5
    for block in blocks:
        exec(compile(block, str(PAGE), "exec"), names)
    printed = capsys.readouterr().out
    assert "/stepz: there is no such field. Did you mean 'steps'?" in printed
    assert "pass@4 " in printed
    assert {path.name for path in (tmp_path / "runs-local").iterdir()} == {
        "first", "watched", "halved", "scores", "logged",
    }  # fmt: skip


def test_every_logger_has_its_row() -> None:
    rows = re.findall(r"^\| `(\w+)` \| `trapo\[(\w+)\]`", PAGE.read_text(), re.MULTILINE)
    assert rows == [(name, name) for name in SINKS]
