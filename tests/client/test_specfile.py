from pathlib import Path

import pytest

from client.errors import UsageError
from client.specfile import load_specs, override, seeds, several_by_path, values_by_path


def test_every_yaml_document_is_a_spec(tmp_path: Path) -> None:
    file = tmp_path / "two.yaml"
    file.write_text("method: trapo\n---\nmethod: grpo\n")
    assert load_specs([file]) == [{"method": "trapo"}, {"method": "grpo"}]


def test_a_json_list_holds_several_specs(tmp_path: Path) -> None:
    file = tmp_path / "two.json"
    file.write_text('[{"seed": 1}, {"seed": 2}]')
    assert [spec["seed"] for spec in load_specs([file])] == [1, 2]


@pytest.mark.parametrize(
    ("assignment", "path", "value"),
    [
        ("steps=7", ["steps"], 7),
        ("data.problems=256", ["data", "problems"], 256),
        ("optimizer.lr=1.0e-4", ["optimizer", "lr"], 1e-4),
        ("evaluation.at_start=true", ["evaluation", "at_start"], True),
        ("tags=[a, b]", ["tags"], ["a", "b"]),
        ("guidance.slots.1.ratio=0.3", ["guidance", "slots", 1, "ratio"], 0.3),
        ("name=a=b", ["name"], "a=b"),
    ],
)
def test_set_puts_a_yaml_value_at_a_dotted_path(assignment: str, path: list[str | int], value: object) -> None:
    spec = {"data": {"format": "small_world"}, "guidance": {"slots": [{"n": 4}, {"n": 2, "ratio": 0.2}]}}
    found: object = override(spec, [assignment])
    for part in path:
        found = found[part]  # type: ignore[index]
    assert found == value


def test_set_leaves_the_original_and_all_other_fields_alone() -> None:
    spec = {"data": {"format": "small_world"}}
    assert override(spec, ["data.problems=1"])["data"] == {"format": "small_world", "problems": 1}
    assert spec == {"data": {"format": "small_world"}}


@pytest.mark.parametrize(
    ("assignment", "complaint"),
    [
        ("steps", "form field.field=value"),
        ("a..b=1", "form field.field=value"),
        ("steps.more=1", "nothing can be set inside 5"),
        ("slots.9.n=1", "items 0 to 0"),
        ("guidance.slots.0.n=1", "no list 'slots'"),
        ("name=[", "not YAML"),
    ],
)
def test_a_set_that_cannot_be_done_says_why(assignment: str, complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint):
        override({"steps": 5, "slots": [{"n": 1}]}, [assignment])


@pytest.mark.parametrize(
    ("text", "complaint"), [("", "holds no spec"), ("a: [", "cannot be parsed"), ("- 3", "holds no spec")]
)
def test_a_file_without_specs_is_refused(tmp_path: Path, text: str, complaint: str) -> None:
    file = tmp_path / "spec.yaml"
    file.write_text(text)
    with pytest.raises(UsageError, match=complaint):
        load_specs([file])


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"nowhere\.yaml: No such file"):
        load_specs([tmp_path / "nowhere.yaml"])


def test_a_clone_names_values_by_path_and_a_sweep_several() -> None:
    assert values_by_path(["steps=7", "tags=[a, b]"]) == {"steps": 7, "tags": ["a", "b"]}
    several = several_by_path(["method=trapo,grpo", "steps=7", "tags=[a, b],[c]", "optimizer.lr=1.0e-4,3.0e-4"])
    assert several == {
        "method": ["trapo", "grpo"], "steps": [7], "tags": [["a", "b"], ["c"]], "optimizer.lr": [1e-4, 3e-4]
    }  # fmt: skip
    with pytest.raises(UsageError, match=r"field\.field=value"):
        values_by_path(["steps"])


def test_seeds_are_numbers_and_ranges() -> None:
    assert seeds("0, 5-7,9") == [0, 5, 6, 7, 9]
    for wrong in ("", "a", "1-", "-1", "1,,2"):
        with pytest.raises(UsageError, match="no list of seeds"):
            seeds(wrong)
