"""From pydantic's findings to `FieldProblem`s that name the field by JSON pointer and say what to do."""

import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, Tag, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

from trapo_core.errors import FieldProblem

LONGEST_SHOWN = 80  # characters of what was given

# What pydantic says in Python's words, in those of YAML and JSON.
SAID_PLAINLY = {
    "tuple_type": "should be a list",
    "model_type": "should be a mapping of fields",
    "model_attributes_type": "should be a mapping of fields",
    "dict_type": "should be a mapping of fields",
    "too_short": "has fewer than {min_length} items",
    "too_long": "has more than {max_length} items",
}


def wrong(field: str, message: str, hint: str) -> PydanticCustomError:
    """What a validator raises: `field` is relative to the part, with / between nested names."""
    return PydanticCustomError("wrong_field", "{problem}", {"field": field, "problem": message, "hint": hint})


def nearest(name: str, known: Iterable[str]) -> str:
    """A sentence that offers the closest known name, or lists what is known."""
    names = sorted(known)
    close = get_close_matches(name, names, n=1)
    return f"Did you mean {close[0]!r}?" if close else f"Known: {', '.join(names)}."


def explain(error: ValidationError, kinds: Mapping[str, type[BaseModel]]) -> list[FieldProblem]:
    """One problem for each finding of a spec validated as a union of `kinds` discriminated by its `kind`."""
    details = error.errors()
    # A list whose only item is wrong is also reported as too short; the item's own finding says it all.
    inner = [detail["loc"] for detail in details if detail["type"] != "too_short"]
    shadowed = [
        d for d in details if d["type"] == "too_short" and any(loc[: len(d["loc"])] == d["loc"] for loc in inner)
    ]
    return [_problem(detail, kinds) for detail in details if detail not in shadowed]


def _problem(detail: ErrorDetails, kinds: Mapping[str, type[BaseModel]]) -> FieldProblem:
    loc, context = detail["loc"], detail.get("ctx", {})
    pointer, owner = _locate(kinds[str(loc[0])], loc[1:]) if loc else ("", None)
    match detail["type"]:
        case "wrong_field":
            return FieldProblem(f"{pointer}/{context['field']}", context["problem"], context["hint"])
        case "extra_forbidden":
            known = owner.model_fields if owner else ()
            return FieldProblem(pointer, "there is no such field.", nearest(str(loc[-1]), known))
        case "missing":
            return FieldProblem(pointer, "is missing.", _description(owner, str(loc[-1])) or "Every spec needs it.")
        case "union_tag_not_found":
            [field] = _quoted(context["discriminator"])
            return FieldProblem(f"{pointer}/{field}", "is missing.", nearest("", _tags(owner, str(loc[-1]), field)))
        case "union_tag_invalid":
            [field] = _quoted(context["discriminator"])
            return _unknown(f"{pointer}/{field}", context["tag"], _quoted(context["expected_tags"]))
        case "literal_error":
            return _unknown(pointer, str(detail["input"]), _quoted(context["expected"]))
    plain = SAID_PLAINLY.get(detail["type"])
    message = plain.format_map(context) if plain else detail["msg"].removeprefix("Input ")
    given = detail["input"]
    shown = f" (given: {_short(repr(given))})" if isinstance(given, str | int | float | bool) else ""
    field = pointer.rpartition("/")[2]  # without the tags that pydantic adds for unions
    return FieldProblem(pointer, f"{message}{shown}.", _description(owner, field))


def _unknown(pointer: str, given: str, known: list[str]) -> FieldProblem:
    return FieldProblem(pointer, f"{_short(given)!r} is not known.", nearest(given, known))


def _short(text: str) -> str:
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}…"


def _quoted(text: str) -> list[str]:
    """The names in pydantic's enumerations: 'nll', 'trsft' or 'dft'."""
    return re.findall("'([^']*)'", text)


def _description(owner: type[BaseModel] | None, field: str) -> str:
    info = owner.model_fields.get(field) if owner else None
    return (info.description or "") if info else ""


def _locate(model: type[BaseModel], loc: tuple[int | str, ...]) -> tuple[str, type[BaseModel] | None]:
    """JSON pointer of `loc`, without the tags that pydantic adds for unions, and the model that owns its last part."""
    pointer, owner, annotation = "", None, model
    for part in loc:
        annotation = _plain(annotation)
        if (member := _tagged(annotation, part)) is not None:
            annotation = member
            continue
        owner = annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None
        pointer += "/" + str(part).replace("~", "~0").replace("/", "~1")
        annotation = _step(annotation, part)
    return pointer, owner


def _plain(annotation: Any) -> Any:
    """Without Annotated and without `| None`."""
    while get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    if get_origin(annotation) in (Union, UnionType):
        members = [member for member in get_args(annotation) if member is not type(None)]
        if len(members) == 1:
            return _plain(members[0])
    return annotation


def _tagged(annotation: Any, tag: int | str) -> Any:
    """The member of a discriminated union that `tag` names, else None."""
    if get_origin(annotation) not in (Union, UnionType):
        return None
    for labelled in get_args(annotation):
        if any(isinstance(mark, Tag) and mark.tag == tag for mark in get_args(labelled)[1:]):
            return _plain(labelled)
        member = _plain(labelled)
        if isinstance(member, type) and issubclass(member, BaseModel):
            for info in member.model_fields.values():
                if tag in get_args(info.annotation):
                    return member
    return None


def _tags(owner: type[BaseModel] | None, field: str, discriminator: str) -> list[str]:
    """What the discriminator of the union `owner.field` may be."""
    members = get_args(_plain(owner.model_fields[field].annotation)) if owner else ()
    return [tag for member in members for tag in get_args(_plain(member).model_fields[discriminator].annotation)]


def _step(annotation: Any, part: int | str) -> Any:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        info = annotation.model_fields.get(str(part))
        return info.annotation if info else None
    arguments = get_args(annotation)
    return arguments[0] if arguments else None
