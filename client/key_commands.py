"""`trapo keys`: who may speak to the service. For admins."""

from typing import Annotated

import typer
from rich.markup import escape

from client import service_tables
from client.api import Client
from client.groups import group
from client.models import NewApiKey
from client.options import Json, Key, Url, errors_console, results_console
from client.printing import print_json

app = group("keys", "Make, list, rotate and revoke API keys (admin).")
KeyId = Annotated[str, typer.Argument(metavar="KEY", help="Its id, as `trapo keys ls` shows it.", show_default=False)]


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="Runs and audit log show it.", show_default=False)],
    scopes: Annotated[str, typer.Option(metavar="SCOPE,SCOPE", help="Of read, submit, admin.")] = "read,submit",
    expires_in_days: Annotated[
        float | None, typer.Option("--days", help="How long it lasts. Default: until revoked.", show_default=False)
    ] = None,
    json: Json = False,
    url: Url = None,
    api_key: Key = None,
) -> None:
    """Make a key and print it, this once."""
    with Client.from_home(url, api_key) as client:
        _print_secret(client.make_key(name, [one.strip() for one in scopes.split(",")], expires_in_days), json)


@app.command()
def ls(json: Json = False, url: Url = None, api_key: Key = None) -> None:
    """List keys, without their secrets."""
    with Client.from_home(url, api_key) as client:
        found = client.api_keys()
    if json:
        return print_json(found)
    results_console().print(service_tables.keys(found))


@app.command()
def rotate(
    key: KeyId,
    overlap: Annotated[
        float, typer.Option(min=0, help="Seconds that the old secret still works; 0 ends its sessions too.")
    ] = 86_400,
    json: Json = False,
    url: Url = None,
    api_key: Key = None,
) -> None:
    """Give a key a new secret and print it, this once."""
    with Client.from_home(url, api_key) as client:
        _print_secret(client.rotate_key(key, overlap), json)


@app.command()
def revoke(key: KeyId, json: Json = False, url: Url = None, api_key: Key = None) -> None:
    """End a key, its login links and its sessions now."""
    with Client.from_home(url, api_key) as client:
        client.delete_key(key)
    if json:
        return print_json({"id": key, "revoked": True})
    results_console().print(f"{escape(key)}  revoked", highlight=False)


def _print_secret(made: NewApiKey, json: bool) -> None:
    """The key alone on stdout, so that a script can keep it."""
    if json:
        return print_json(made)
    results_console().print(made.key, highlight=False, soft_wrap=True, markup=False)
    until = f"until {made.expires_at:%Y-%m-%d %H:%M} UTC" if made.expires_at else "until revoked"
    about = f"{escape(made.name)}  id {made.id}  {', '.join(made.scopes)}  {until}; it is not shown again"
    errors_console().print(f"[dim]{about}[/]", highlight=False, soft_wrap=True)
