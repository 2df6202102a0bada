"""`trapo plan` as a person meets it, and the line of it that recipes carry."""

import json
import sys
from pathlib import Path

import pytest

from client import cli
from client.plan_command import planned
from client.plan_tables import count, size_of, span, summary
from trapo_core.spec import parse_spec
from trapo_core.spec_file import read_documents
from trapo_core.timing import Seconds

RECIPES = Path(__file__).parents[2] / "recipes"
SPEC = "model: {source: small_world}\ndata: {format: small_world}\nsteps: 2\nsampling: {max_tokens: 40}\n"


@pytest.fixture(autouse=True)
def no_hub_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What this machine's cache knows of a model must not change what is said."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))


def trapo_plan(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["trapo", "plan", *arguments])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return int(ended.value.code or 0)


def test_a_plan_says_sizes_memory_disk_and_time(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert trapo_plan(monkeypatch, str(RECIPES / "paper" / "trapo.yaml"), "--gpu", "a100", "--gpus", "4") == 0
    said = capsys.readouterr().out
    for words in ("7.62 billion parameters", "4 × A100 80 GB", "1,024", "about 2.22 million", "of 80 GB a GPU",
                  "a checkpoint 91 GB", "family in its name", "gradient_checkpointing"):  # fmt: skip
        assert words in said, words


def test_every_recipe_can_be_planned(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for path in sorted(RECIPES.rglob("*.yaml")):
        assert trapo_plan(monkeypatch, str(path), "--json") == 0, path
        assert json.loads(capsys.readouterr().out)[0]["estimate"]["time"], path


def test_set_and_json_are_for_programs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "spec.yaml").write_text(SPEC)
    assert trapo_plan(monkeypatch, str(tmp_path / "spec.yaml"), "--json", "--set", "prompts_per_step=3") == 0
    [found] = json.loads(capsys.readouterr().out)
    assert found["spec"]["prompts_per_step"] == 3
    assert found["estimate"]["work"]["stages"][0]["samples_per_step"] == 24


@pytest.mark.parametrize("field", ["sampling.max_tokens=160", "steps=0"])
def test_a_spec_that_cannot_run_ends_with_2(
    field: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "spec.yaml").write_text(SPEC)
    assert trapo_plan(monkeypatch, str(tmp_path / "spec.yaml"), "--set", field) == 2
    assert field.split("=")[0].replace(".", "/") in capsys.readouterr().err


@pytest.mark.parametrize("path", sorted((RECIPES / "paper").glob("*.yaml")), ids=lambda path: path.stem)
def test_a_recipe_of_the_paper_says_what_its_plan_says_and_fits(path: Path) -> None:
    [document] = read_documents(path)
    found = planned(parse_spec(document), "h100", 8)
    assert f"# {summary(found)}\n" in path.read_text(encoding="utf-8"), "run `trapo plan` and copy its figures"
    assert found.memory is not None and found.memory.fits


def test_figures_have_two_or_three_digits_and_a_unit() -> None:
    assert [count(n) for n in (12, 1354, 2_217_738, 7.6156e9)] == [
        "12",
        "1.35 thousand",
        "2.22 million",
        "7.62 billion",
    ]
    assert [size_of(n) for n in (900, 8.8e6, 72.3e9, 1.25e12)] == ["0.9 kB", "8.8 MB", "72 GB", "1.2 TB"]
    assert span(Seconds(low=0.05, high=0.4)) == "0.05 to 0.4 s"
    assert span(Seconds(low=44_000, high=100_000)) == "12 to 28 h"
    assert span(Seconds(low=44_000, high=450_000)) == "0.51 to 5.2 days"
