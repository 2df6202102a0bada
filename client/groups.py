"""Commands with commands of their own."""

from typing import Any

import typer
from typer.core import TyperGroup


class ListsByDefault(TyperGroup):
    """`trapo checkpoints RUN` is short for `trapo checkpoints ls RUN`."""

    # Newer typers bring a click of their own, so its Context has no one name.
    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        is_named = not args or args[0] in self.commands or args[0] in ctx.help_option_names
        return super().parse_args(ctx, args if is_named else ["ls", *args])


class ListsAlone(ListsByDefault):
    """`trapo models` is short for `trapo models ls`, and `trapo models --json` too."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        return super().parse_args(ctx, args or ["ls"])


def group(name: str, about: str, kind: type[TyperGroup] = TyperGroup) -> typer.Typer:
    return typer.Typer(name=name, help=about, cls=kind, no_args_is_help=True)
