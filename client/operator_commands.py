"""`trapo gc` frees what nothing needs any more; `trapo reasons` says why runs end, and what helps."""

from typing import Annotated

import typer

from client import service_tables
from client.api import Client
from client.models import GcReport
from client.options import Json, Key, Url, results_console
from client.plan_tables import size_of
from client.printing import print_json


def gc(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be freed.")] = False,
    json: Json = False,
    url: Url = None,
    api_key: Key = None,
) -> None:
    """Free trash, what crashes left, what is out of date, and models that nothing names (admin). Status 1 if something
    could not be removed."""
    with Client.from_home(url, api_key) as client:
        report = client.gc(dry_run)
    print_json(report) if json else _print_freed(report)
    if report.failed:
        raise typer.Exit(1)


def _print_freed(report: GcReport) -> None:
    console = results_console()
    if report.items:
        console.print(service_tables.garbage(report.items))
    verb = "would be freed" if report.dry_run else "freed"
    console.print(f"{size_of(report.bytes)} and {report.rows} rows {verb}.", highlight=False)
    if report.failed:
        console.print(service_tables.not_freed(report.failed))
        console.print("See that the service's user may write there; `trapo gc` then frees these too.", highlight=False)


def reasons(json: Json = False, url: Url = None, api_key: Key = None) -> None:
    """List why attempts end, what becomes of the run, and what helps."""
    with Client.from_home(url, api_key) as client:
        found = client.reasons()
    if json:
        return print_json(found)
    results_console().print(service_tables.reasons(found))
