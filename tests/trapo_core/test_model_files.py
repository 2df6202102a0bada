"""Which folders may be loaded as a model."""

from pathlib import Path

import pytest

from trapo_core.errors import ModelError
from trapo_core.model_files import check_model_folder


def folder(root: Path, name: str, *files: str) -> Path:
    made = root / name
    made.mkdir(parents=True)
    for file in files:
        (made / file).touch()
    return made


def test_a_folder_with_safetensors_is_found_relative_absolute_or_at_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = folder(tmp_path, "models/m", "config.json", "model.safetensors")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert check_model_folder("m", tmp_path / "models") == expected
    assert check_model_folder(str(expected), Path("elsewhere")) == expected
    assert check_model_folder("~/models/m", Path("elsewhere")) == expected


def test_sharded_weights_are_weights(tmp_path: Path) -> None:
    shards = ("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors", "model.safetensors.index.json")
    made = folder(tmp_path, "m", "config.json", *shards)
    assert check_model_folder("m", tmp_path) == made


@pytest.mark.parametrize("weights", ["pytorch_model.bin", "model.pt", "model.pth", "model.ckpt"])
def test_pickled_weights_alone_are_refused_by_name_with_the_remedy(tmp_path: Path, weights: str) -> None:
    folder(tmp_path, "m", "config.json", weights)
    with pytest.raises(ModelError) as caught:
        check_model_folder("m", tmp_path)
    assert "only pickled weights" in caught.value.message
    assert weights in caught.value.message
    assert "save_pretrained" in caught.value.hint
    assert caught.value.reason == "model_not_found"


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    folder(tmp_path, "bare")
    folder(tmp_path, "no-weights", "config.json")
    (tmp_path / "file").touch()
    for name, what in (
        ("absent", "no model folder"),
        ("file", "no model folder"),
        ("bare", "no config.json"),
        ("no-weights", "no safetensors weights"),
    ):
        with pytest.raises(ModelError, match=what) as caught:
            check_model_folder(name, tmp_path)
        assert name in caught.value.message
        assert caught.value.hint
        assert "pickled" not in caught.value.message
