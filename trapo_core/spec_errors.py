"""From pydantic's findings to `FieldProblem`s that name the field by JSON pointer and say what to do."""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

from trapo_core.errors import FieldProblem


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
    loc = detail["loc"]
    if not loc:
        return FieldProblem("/kind", f"{detail['msg']}.", f"Known: {', '.join(kinds)}.")
    pointer, owner = _locate(kinds[str(loc[0])], loc[1:])
    context = detail.get("ctx", {})
    if detail["type"] == "wrong_field":
        return FieldProblem(f"{pointer}/{context['field']}", context["problem"], context["hint"])
    if detail["type"] == "extra_forbidden":
        return FieldProblem(
            pointer, "there is no such field.", nearest(str(loc[-1]), owner.model_fields if owner else ())
        )
    if detail["type"] == "missing":
        return FieldProblem(pointer, "is missing.", "Every spec needs it.")
    given = detail["input"]
    shown = f" (given: {given!r})" if isinstance(given, str | int | float | bool) else ""
    return FieldProblem(pointer, f"{detail['msg']}{shown}.", _bounds(owner, str(loc[-1])))


def _bounds(owner: type[BaseModel] | None, field: str) -> str:
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
        pointer += f"/{part}"
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
    for member in map(_plain, get_args(annotation)):
        if isinstance(member, type) and issubclass(member, BaseModel):
            for info in member.model_fields.values():
                if tag in get_args(info.annotation):
                    return member
    return None


def _step(annotation: Any, part: int | str) -> Any:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        info = annotation.model_fields.get(str(part))
        return info.annotation if info else None
    arguments = get_args(annotation)
    return arguments[0] if arguments else None
