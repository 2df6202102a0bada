"""Where the service and its key are: options, then environment, then the files of `trapo up` in the home."""

import json
import os
from dataclasses import dataclass
from pathlib import Path

from client.errors import UsageError

KEY_FILE = "admin-key"
SERVICE_FILE = "service.json"
ROOTS = ("TRAPO_MODELS_DIR", "TRAPO_DATA_DIR")


@dataclass(frozen=True)
class Place:
    url: str
    api_key: str


def home() -> Path:
    named = os.environ.get("TRAPO_HOME")
    return Path(named).expanduser().absolute() if named else default_home()


def default_home() -> Path:
    return Path("~/.trapo").expanduser()


def locate(url: str | None = None, api_key: str | None = None) -> Place:
    """Raises UsageError that says which of the three ways to use."""
    url = url or os.environ.get("TRAPO_URL") or served_url(home())
    api_key = api_key or os.environ.get("TRAPO_API_KEY") or kept_key(home())
    if not url:
        raise UsageError("No service is known.", "Start one with `trapo up`, or give --url or TRAPO_URL.")
    if not api_key:
        raise UsageError(f"No key for {url}.", f"Give --api-key or TRAPO_API_KEY, or keep it in {home() / KEY_FILE}.")
    return Place(url, api_key)


def served_url(folder: Path) -> str | None:
    file = folder / SERVICE_FILE
    return json.loads(file.read_text())["url"] if file.exists() else None


def kept_key(folder: Path) -> str | None:
    file = folder / KEY_FILE
    return file.read_text().strip() if file.exists() else None


def child_environment(folder: Path) -> dict[str, str]:
    """Our own environment, and in it where a child finds the home, models and data."""
    environment = {**os.environ, "TRAPO_HOME": str(folder)}
    environment.setdefault("TRAPO_MODELS_DIR", str(folder / "models"))
    if neighbour := _neighbour():
        environment["TRAPO_DATA_DIR"] = neighbour
    return environment


def writing_environment(folder: Path, root: str) -> dict[str, str]:
    """The same for a child that writes to one of the ROOTS: that of the home's `trapo up` while it serves. Data that
    only lie nearby, as `trapo up` would read them, may be somebody else's: UsageError."""
    file = folder / SERVICE_FILE
    if file.exists():
        return {**json.loads(file.read_text()).get("roots", {}), **os.environ, "TRAPO_HOME": str(folder)}
    if root == "TRAPO_DATA_DIR" and (neighbour := _neighbour()):
        message = f"TRAPO_DATA_DIR is not set, and `trapo up` would read data from {neighbour} here."
        raise UsageError(message, "Set TRAPO_DATA_DIR for both.")
    return child_environment(folder)


def _neighbour() -> str | None:
    """Data beside the present folder, if nobody said where they are."""
    found = Path("../shared/data")
    return str(found.resolve()) if "TRAPO_DATA_DIR" not in os.environ and found.is_dir() else None
