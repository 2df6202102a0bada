"""The files of a run, under RUN_DIR. Names come from rows and numbers, never from a caller."""

import os
from pathlib import Path


def log_path(run_dir: Path, attempt: int) -> Path:
    return run_dir / "logs" / f"attempt-{attempt:04d}.log"


def tail(path: Path, limit_bytes: int) -> str:
    """The last `limit_bytes` of a text file, from the first whole line on; empty if there is no such file."""
    if not path.is_file():
        return ""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - limit_bytes))
        text = file.read(limit_bytes)
    if size > limit_bytes and b"\n" in text:
        text = text[text.index(b"\n") + 1 :]
    return text.decode(errors="replace")
