"""Commits in the text of a spec file, and everything else as it was."""

from pathlib import Path

import pytest

from client.errors import UsageError
from client.pinned_text import pinned_text
from trapo_core.spec_file import parse_documents

A, B = "a" * 40, "b1" * 20
FILE = Path("spec.yaml")


def pinned(text: str, *commits: dict[str, str], path: Path = FILE) -> str:
    return pinned_text(path, text, parse_documents(path, text), list(commits))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("model: {id: o/m, revision: main}  # why\n", f"model: {{id: o/m, revision: {A}}}  # why\n"),
        ("b: &b {x: 1}\nmodel: {<<: *b, id: o/m}", f"b: &b {{x: 1}}\nmodel: {{<<: *b, id: o/m, revision: {A}}}"),
        ("model: {source: hub, id: o/m}\n", f"model: {{source: hub, id: o/m, revision: {A}}}\n"),
        ("model: {revision: 'v1', source: hub, id: o/m}", f"model: {{revision: '{A}', source: hub, id: o/m}}"),
        ('model: {"source": "hub", "id": "o/m"}', f'model: {{"source": "hub", "id": "o/m", "revision": "{A}"}}'),
        (
            "# head\nmodel:\n    source: hub\n    id: o/m   # the base\n\nsteps: 3\n",
            f"# head\nmodel:\n    source: hub\n    id: o/m   # the base\n    revision: {A}\n\nsteps: 3\n",
        ),
        ("model:\n  id: o/m\n  revision: main # now\n", f"model:\n  id: o/m\n  revision: {A} # now\n"),
        ("model:\n  source: hub\n  id: o/m", f"model:\n  source: hub\n  id: o/m\n  revision: {A}"),
        ("model:\r\n  id: o/m\r\nsteps: 3\r\n", f"model:\r\n  id: o/m\r\n  revision: {A}\r\nsteps: 3\r\n"),
    ],
)  # fmt: skip
def test_only_the_commit_is_new(before: str, after: str) -> None:
    assert pinned(before, {"/model": A}) == after


def test_every_source_of_every_spec_of_a_file_has_its_own() -> None:
    before = (
        "# one\nmodel: {id: o/m}\nevaluation:\n  benchmarks:\n    - name: b\n      data: {hub: o/d, path: x}\n"
        "---\n# two\nmodel: {id: o/m, revision: old}\n---\n# nothing\n---\n- seed: 1\n- data: {hub: o/d}\n"
    )
    commits = [{"/model": A, "/evaluation/benchmarks/0/data": B}, {"/model": B}, {}, {"/data": A}]
    assert pinned(before, *commits) == (
        f"# one\nmodel: {{id: o/m, revision: {A}}}\nevaluation:\n  benchmarks:\n    - name: b\n"
        f"      data: {{hub: o/d, revision: {B}, path: x}}\n"
        f"---\n# two\nmodel: {{id: o/m, revision: {B}}}\n---\n# nothing\n"
        f"---\n- seed: 1\n- data: {{hub: o/d, revision: {A}}}\n"
    )


@pytest.mark.parametrize("commit", ["1" * 40, "1e" * 20])
def test_a_commit_that_looks_like_a_number_stays_text(commit: str) -> None:
    text = pinned("model: {id: o/m}", {"/model": commit})
    assert f'revision: "{commit}"' in text
    assert parse_documents(FILE, text)[0]["model"]["revision"] == commit


def test_json_is_written_anew() -> None:
    text = pinned('[{"model":\t{"id": "ö/m"}}]', {"/model": A}, path=Path("spec.json"))
    assert text == f'[\n  {{\n    "model": {{\n      "id": "ö/m",\n      "revision": "{A}"\n    }}\n  }}\n]\n'


@pytest.mark.parametrize(
    "text",
    [
        "base: &base {id: o/m}\nmodel: {<<: *base}",
        "other: &base {id: o/m, revision: main}\nmodel: *base",
        "seen: &rev main\nmodel: {id: o/m, revision: *rev}",
    ],
)
def test_what_would_change_more_than_was_meant_is_left_to_a_person(text: str) -> None:
    with pytest.raises(UsageError, match=f"/model/revision: {A}"):
        pinned(text, {"/model": A})
