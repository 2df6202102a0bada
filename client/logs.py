"""Reading the ends of log files."""

from pathlib import Path


def tail(file: Path, lines: int = 15) -> str:
    """The last lines of a log, as they are."""
    return "\n".join(file.read_text(errors="replace").splitlines()[-lines:]) if file.exists() else ""
