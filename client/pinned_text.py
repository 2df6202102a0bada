"""Commits written into the text of a spec file, which otherwise stays as somebody wrote it: comments, order, layout.

YAML is edited at the places where its parser says that the values stand, and read again: what does not then say exactly
what was meant is refused (an anchor that two models share, for one). JSON has no comments and is written anew.
"""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from client.errors import UsageError
from client.specfile import Spec
from trapo_core.errors import SpecError
from trapo_core.spec_file import parse_documents

NEWLINE = "\n"
Commits = Mapping[str, str]  # by the pointer of the part that names a repository


def pinned_spec(spec: Spec, commits: Commits) -> Spec:
    """A copy with each commit as the revision of the part at its pointer."""
    changed: Spec = json.loads(json.dumps(spec, default=str))
    for pointer, commit in commits.items():
        part: Any = changed
        for name in pointer.strip("/").split("/"):
            part = part[int(name)] if isinstance(part, list) else part[name]
        part["revision"] = commit
    return changed


def pinned_text(path: Path, text: str, specs: list[Spec], commits: list[Commits]) -> str:
    """The file's text with the commits of each of its specs. UsageError if they can only be written by hand."""
    wanted = [pinned_spec(spec, of_spec) for spec, of_spec in zip(specs, commits, strict=True)]
    if path.suffix == ".json":
        whole = wanted if isinstance(json.loads(text), list) else wanted[0]
        return json.dumps(whole, indent=2, ensure_ascii=False) + "\n"
    edited = _edited(text, commits)
    try:
        done = [pinned_spec(spec, {}) for spec in parse_documents(path, edited)] == wanted
    except SpecError:
        done = False
    if done:
        return edited
    by_hand = sorted({f"{pointer}/revision: {commit}" for each in commits for pointer, commit in each.items()})
    raise UsageError(f"{path} is laid out so that only a person can pin it.", f"Write in: {', '.join(by_hand)}.")


def _edited(text: str, commits: list[Commits]) -> str:
    edits: dict[tuple[int, int], str] = {}
    for node, of_spec in zip(_specs(text), commits, strict=True):
        for pointer, commit in of_spec.items():
            if edit := _edit(text, _at(node, pointer), commit):
                begin, end, new = edit
                edits[begin, end] = new
    for (begin, end), new in sorted(edits.items(), reverse=True):
        text = text[:begin] + new + text[end:]
    return text


def _specs(text: str) -> Iterator[yaml.Node]:
    """As `parse_documents` finds them: a document is a spec, or a list of specs."""
    for document in yaml.compose_all(text, Loader=yaml.SafeLoader):
        if isinstance(document, yaml.SequenceNode):
            yield from document.value
        elif not (isinstance(document, yaml.ScalarNode) and document.tag.endswith(":null")):
            yield document


def _at(node: yaml.Node, pointer: str) -> yaml.Node | None:
    found: yaml.Node | None = node
    for name in pointer.strip("/").split("/"):
        if isinstance(found, yaml.SequenceNode):
            found = found.value[int(name)]
        elif isinstance(found, yaml.MappingNode):
            found = next((value for key, value in found.value if key.value == name), None)
    return found


def _edit(text: str, part: yaml.Node | None, commit: str) -> tuple[int, int, str] | None:
    """From where to where, and what stands there then: in the old revision's place, or behind the repository's name."""
    if not isinstance(part, yaml.MappingNode):
        return None
    fields = {key.value: (key, value) for key, value in part.value}
    if "revision" in fields:
        _, old = fields["revision"]
        return old.start_mark.index, old.end_mark.index, _scalar(commit, old.style)
    named = fields.get("hub") or fields.get("id")
    if named is None:  # it comes from elsewhere, by a merge key
        return None
    key, value = named
    name = '"revision"' if key.style == '"' else "revision"
    entry = f"{name}: {_scalar(commit, value.style)}"
    end = value.end_mark.index
    if part.flow_style:
        return end, end, f", {entry}"
    line_end = re.compile(r"\r?\n|\Z").search(text, end)
    assert line_end is not None
    begin = line_end.start()
    return begin, begin, f"{line_end[0] or NEWLINE}{' ' * key.start_mark.column}{entry}"


def _scalar(commit: str, style: str | None) -> str:
    """In the quotes of its neighbour; and never so that YAML could take it for a number."""
    if style == "'":
        return f"'{commit}'"
    return f'"{commit}"' if style == '"' or not set(commit) & set("abcdf") else commit
