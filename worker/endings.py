"""How an attempt ended, from what its process said and left behind. Rules first, the looking around last."""

import errno
import signal
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.exc import DBAPIError

from runs.states import REASONS
from trapo_core import events
from trapo_core.errors import BusyError

FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
FULL_WORDS = ("No space left on device", "Disk quota exceeded")
CGROUPS = Path("/sys/fs/cgroup")


@dataclass(frozen=True)
class End:
    """How an attempt ended; `reason` None is success."""

    reason: str | None
    message: str = ""


def how_it_ended(goodbye: events.Ended | None, returncode: int, asked: str | None, last_words: str) -> End:
    """From what the process said and how it exited to a reason. `asked` is the reason why the worker told it to stop,
    if it did."""
    if goodbye is not None and goodbye.outcome == "succeeded":
        return End(None, goodbye.message)
    if goodbye is not None and goodbye.outcome == "failed":
        known = goodbye.reason if goodbye.reason in REASONS else "exit_nonzero"
        return End(known, goodbye.message or last_words)
    if goodbye is not None or asked:
        # It stopped because it was asked to; if not by the user (`after_attempt` looks), then by a shutdown.
        return End(asked or "worker_stopped", goodbye.message if goodbye else "")
    if returncode == BusyError.exit_status:
        return End(BusyError.reason, last_words)
    if returncode < 0:
        return End("killed_signal", f"Killed by {signal.Signals(-returncode).name}.")
    return End("exit_nonzero", last_words or f"Exit code {returncode} without a word.")


def fallen(error: Exception) -> End:
    """The worker itself met what it cannot go on from."""
    if isinstance(error, BusyError):
        return End(error.reason, str(error))
    if isinstance(error, OSError) and error.errno in FULL:
        return End("disk_full", f"{error.filename}: {error.strerror}.")
    # The database's own words; SQLAlchemy's have the statement and all its values.
    cause = error.orig or error if isinstance(error, DBAPIError) else error
    return End("worker_failed", f"{type(cause).__name__}: {cause}"[:500])


def explained(end: End, *, out_of_memory: bool, disk_is_full: bool) -> End:
    """A bare end with the cause that the host knows of: the kernel killed for memory, or nothing could be written."""
    if end.reason == "killed_signal" and out_of_memory and "SIGKILL" in end.message:
        return End("oom_host", f"{end.message} The kernel counted a kill for want of memory.")
    if end.reason == "exit_nonzero" and (disk_is_full or any(words in end.message for words in FULL_WORDS)):
        return End("disk_full", end.message)
    return end


def oom_kills(root: Path = CGROUPS, own: Path = Path("/proc/self/cgroup")) -> int | None:
    """How often the kernel has killed for memory in our cgroup, where training processes live too; None if it does not
    say."""
    for file in _counters(root, own):
        try:
            counts = dict(line.split(" ", 1) for line in file.read_text().splitlines())
        except OSError:
            continue
        if "oom_kill" in counts:
            return int(counts["oom_kill"])
    return None


def _counters(root: Path, own: Path) -> list[Path]:
    """Of both versions of cgroups; in a container the path may be the host's, and the root already ours."""
    try:
        lines = [line.split(":", 2) for line in own.read_text().splitlines()]
    except OSError:
        return []
    found = []
    for _, controllers, path in lines:
        if controllers == "memory":
            folder, name = root / "memory", "memory.oom_control"
        elif controllers == "":
            folder, name = root, "memory.events"
        else:
            continue
        found += [folder / path.lstrip("/") / name, folder / name]
    return found
