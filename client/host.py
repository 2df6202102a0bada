"""What an operator does on the service's own host: by programs of the service, with its settings, over its folders."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from client import places
from client.errors import ClientError

Home = Annotated[Path | None, typer.Option(help="The service's home (TRAPO_HOME).", show_default="~/.trapo")]


def folder_of(home: Path | None) -> Path:
    return (home or places.home()).expanduser().absolute()


def run_on_host(module: str, arguments: list[str], environment: dict[str, str]) -> dict[str, Any]:
    """The facts that the program prints. ClientError with its words if it fails."""
    # -P: what is started is what is installed, whatever lies in the present folder.
    command = [sys.executable, "-P", "-m", module, *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, check=False)
    if done.returncode != 0:
        raise ClientError(done.stderr.decode(errors="replace").strip() or f"{module} ended with {done.returncode}.")
    facts: dict[str, Any] = json.loads(done.stdout)
    return facts
