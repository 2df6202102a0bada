"""Answers on the screen: JSON for a program, or a line each for a person."""

import json as standard_json
from collections.abc import Callable, Iterable
from dataclasses import asdict, is_dataclass
from typing import Any, TypeVar

import typer
from pydantic import BaseModel
from rich.console import Console

from client.options import results_console

Item = TypeVar("Item")


def print_json(value: Any) -> None:
    results_console().print_json(data=_plain(value))


def print_json_lines(items: Iterable[Any]) -> None:
    """A line each, as they come: for what may have no end."""
    for item in items:
        typer.echo(standard_json.dumps(_plain(item)))


def print_each(items: Iterable[Item], json: bool, line: Callable[[Item], str]) -> list[Item]:
    """A line of markup for each, as it comes, for a person. For a program a list in the end, and if it breaks off, of
    what came before."""
    if not json:
        return print_lines(items, line, results_console())
    came: list[Item] = []
    try:
        for item in items:
            came.append(item)
    finally:
        print_json(came)
    return came


def print_lines(items: Iterable[Item], line: Callable[[Item], str], console: Console) -> list[Item]:
    came = []
    for item in items:
        console.print(line(item), highlight=False, soft_wrap=True)
        came.append(item)
    return came


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value
