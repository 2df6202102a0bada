"""Answers on the screen: JSON for a program, or a line each for a person."""

import json as standard_json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, is_dataclass
from typing import Any, TypeVar

import typer
from pydantic import BaseModel

from client.options import results_console

Item = TypeVar("Item")


def print_json(value: Any) -> None:
    results_console().print_json(data=_plain(value))


def print_json_lines(items: Iterable[Any]) -> None:
    """A line each, as they come: for what may have no end."""
    for item in items:
        typer.echo(standard_json.dumps(_plain(item)))


def print_each(items: Sequence[Item], json: bool, line: Callable[[Item], str]) -> None:
    """A list for a program, a line of markup for each for a person."""
    if json:
        return print_json(items)
    for item in items:
        results_console().print(line(item), highlight=False, soft_wrap=True)


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value
