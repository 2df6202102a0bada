"""`trapo logs` and `trapo events`: what a run printed, and what happened to it. JSON is a line each, as it comes."""

import json as standard_json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Annotated

import typer
from rich.markup import escape

from client.api import Client
from client.errors import UsageError
from client.models import LogPart, LogText, RunEvent
from client.options import Json, Key, RunId, Url, errors_console, results_console
from client.printing import print_json_lines
from client.watch import INTERRUPTED

Follow = Annotated[bool, typer.Option("--follow", "-f", help="Go on as it comes, until the run ends or waits.")]


def logs(
    run: RunId,
    follow: Follow = False,
    attempt: Annotated[int | None, typer.Option(min=1, help="Default: the newest.", show_default=False)] = None,
    offset: Annotated[
        int | None, typer.Option(min=0, help="From this byte on. Default: near the end.", show_default=False)
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=4, max=1 << 20, help="At most so many bytes from --offset.", show_default=False)
    ] = None,
    json: Json = False,
    url: Url = None,
    api_key: Key = None,
) -> None:
    """Show what a run printed: the end, a range of bytes, or all that comes."""
    if limit is not None and (follow or offset is None):
        raise UsageError("--limit needs --offset, and no --follow.", "Such as --offset 0 --limit 65536.")
    with Client.from_home(url, api_key) as client, _interruptible(f"trapo logs -f {run}"):
        if follow:
            _print_texts(client.follow_log(run, attempt, offset), json)
        elif offset is not None:
            _print_texts(_parts(client, run, attempt, offset, limit), json)
        else:
            text = client.logs(run, attempt=attempt)
            print_json_lines([{"text": text}]) if json else typer.echo(text, nl=False)


def events(
    run: RunId,
    follow: Follow = False,
    json: Json = False,
    url: Url = None,
    api_key: Key = None,
) -> None:
    """Show what happened to a run, a line each."""
    with Client.from_home(url, api_key) as client, _interruptible(f"trapo events -f {run}"):
        client.get(run)  # an unknown run is an error, not a list without events
        found = client.follow([run]) if follow else client.events(run)
        if json:
            return print_json_lines(found)
        for event in found:
            results_console().print(_line(event), highlight=False, soft_wrap=True)


def _parts(client: Client, run: str, attempt: int | None, offset: int, limit: int | None) -> Iterator[LogPart]:
    """One part of at most `limit` bytes; without a limit as many as there are."""
    while True:
        part = client.log_part(run, offset, limit or 1 << 20, attempt)
        yield part
        if limit is not None or part.end <= offset or part.end == part.size:
            return
        offset = part.end


def _print_texts(texts: Iterable[LogText], json: bool) -> None:
    if json:
        return print_json_lines(texts)
    for text in texts:
        typer.echo(text.text, nl=False)


def _line(event: RunEvent) -> str:
    data = standard_json.dumps(event.data, ensure_ascii=False)
    return f"[dim]{event.seq:>6}  {event.ts:%Y-%m-%d %H:%M:%S}[/]  {event.type}  {escape(data)}"


@contextmanager
def _interruptible(command: str) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        errors_console().print(f"\nNo longer following. [dim]{escape(command)}[/]", soft_wrap=True)
        raise typer.Exit(INTERRUPTED) from None
