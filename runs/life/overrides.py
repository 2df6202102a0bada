"""A spec with some fields changed, each named by its path: `{"optimizer.lr": 1e-4, "guidance.slots.0.ratio": 0}`."""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from trapo_core.errors import FieldProblem, SpecError


def overridden(spec: dict[str, Any], overrides: Mapping[str, Any], pointer: str = "/overrides") -> dict[str, Any]:
    """A changed copy. SpecError, under `pointer`, for a path that leads nowhere; whether the field exists is for
    `parse_spec` to say."""
    changed = deepcopy(spec)
    problems = []
    for path, value in overrides.items():
        try:
            _put(changed, path.split("."), deepcopy(value))
        except LookupError as error:
            problems.append(FieldProblem(f"{pointer}/{path}", str(error.args[0]), "Name a field by a path such as a.b"))
    if problems:
        raise SpecError(problems)
    return changed


def _put(node: Any, path: list[str], value: Any) -> None:
    for depth, name in enumerate(path[:-1]):
        if isinstance(node, dict):
            if node.get(name) is None:
                node[name] = {}
            node = node[name]
        else:
            node = node[_index(node, path, depth)]
    if isinstance(node, dict):
        node[path[-1]] = value
    else:
        node[_index(node, path, len(path) - 1)] = value


def _index(node: Any, path: list[str], depth: int) -> int:
    name, where = path[depth], ".".join(path[:depth])
    if not isinstance(node, list):
        raise LookupError(f"{where} has no parts.")
    if not (name.isascii() and name.isdecimal() and int(name) < len(node)):
        raise LookupError(f"{where} has {len(node)} items and none {name!r}.")
    return int(name)


def blamed_on(
    problems: list[FieldProblem], overrides: Mapping[str, Any], pointer: str, rest: str
) -> list[FieldProblem]:
    """Problems of the changed spec, each pointing at the override that brought it, or else into the spec under
    `rest`."""
    places = {"/" + path.replace(".", "/"): f"{pointer}/{path}" for path in overrides}

    def place(found: str) -> str:
        for field, override in places.items():
            if found == field or found.startswith(f"{field}/"):
                return override + found.removeprefix(field)
        return rest + found

    return [FieldProblem(place(problem.pointer), problem.message, problem.hint) for problem in problems]
