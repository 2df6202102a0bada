"""Where data and models lie, by the environment."""

from pathlib import Path

import pytest

from trapo_core.places import Places


def test_without_settings_places_have_defaults() -> None:
    assert Places.from_environment({}) == Places(Path("../shared/data"), Path.home() / ".trapo" / "models")


def test_models_lie_under_the_home_unless_said_otherwise() -> None:
    assert Places.from_environment({"TRAPO_HOME": "/h"}).models_dir == Path("/h/models")
    assert Places.from_environment({"TRAPO_HOME": "/h", "TRAPO_MODELS_DIR": "/m"}).models_dir == Path("/m")
    assert Places.from_environment({"TRAPO_DATA_DIR": "/d"}).data_dir == Path("/d")


@pytest.mark.parametrize("name", ["TRAPO_HOME", "TRAPO_DATA_DIR", "TRAPO_MODELS_DIR"])
def test_a_tilde_is_the_users_home_and_an_empty_variable_is_none(name: str) -> None:
    places = Places.from_environment({name: "~/x"})
    assert "~" not in f"{places.data_dir}{places.models_dir}"
    assert Places.from_environment({name: ""}) == Places.from_environment({})


def test_the_environment_is_read_when_asked_not_at_import(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRAPO_DATA_DIR", "/now")
    assert Places.from_environment().data_dir == Path("/now")
