"""Where the service and its key are: options, then environment, then the files of `trapo up` in the home."""

import json
import os
from dataclasses import dataclass
from pathlib import Path

from client.errors import UsageError

KEY_FILE = "admin-key"
SERVICE_FILE = "service.json"


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
    neighbour = Path("../shared/data")
    if "TRAPO_DATA_DIR" not in environment and neighbour.is_dir():
        environment["TRAPO_DATA_DIR"] = str(neighbour.resolve())
    return environment
