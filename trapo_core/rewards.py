r"""Is this answer right, even if the question is hostile? The rules of `answers.py`, each within its time.

What a model wrote is hostile input: `\boxed{9^{9^{9^9}}}` keeps sympy busy for ever inside one C call that no
exception can interrupt. `Checker` therefore asks long-lived processes over pipes, kills those that exceed their time,
and starts new ones. A checking process has no model, no torch, no secrets in its environment, and bounded memory. It
ends by itself: at the end of its input when the parent dies, by its own alarm when that happens during a check.
"""

import hashlib
import json
import os
import resource
import select
import signal
import subprocess
import sys
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from queue import LifoQueue
from types import TracebackType
from typing import Any, BinaryIO, Self

from trapo_core.answers import LONGEST_TEXT, ON_THE_SPOT, Outcome, Score, Verifier, check_math, unproven

__all__ = ["Checker", "Outcome", "Score", "Verifier", "verify"]

MEMORY_LIMIT = 2 << 30  # bytes of address space of a checking process
RETIRE_ABOVE = 1 << 30  # bytes resident; sympy's caches never shrink
START_LIMIT_S = 120.0  # importing sympy takes half a second, on a machine under load much longer
ALARM_SLACK_S = 1.0  # how long after its time a check whose parent is gone ends itself
# What a checking process needs of its parent's environment: where the interpreter finds its libraries.
KEPT_ENVIRONMENT = ("PATH", "LD_LIBRARY_PATH", "LANG", "LC_ALL", "TMPDIR")


# ---------------------------------------------------------------------------------------------- asking from outside


class Checker:
    """Scores many answers at once. Use as a context manager, or call `close()`.

    Small world and multiple choice are checked on the spot. Mathematics is checked by `processes` processes, started
    when first needed and replaced when they die; `timeout_s` is the time of one check, without waiting its turn. Scores
    do not depend on order or company. After `close()`, `submit` raises RuntimeError.
    """

    def __init__(self, verifier: Verifier, *, timeout_s: float = 5.0, processes: int = 1) -> None:
        self._verifier = verifier
        self._timeout_s = timeout_s
        self._known: dict[bytes, Future[Score]] = {}
        self._threads = ThreadPoolExecutor(processes, thread_name_prefix="checker")
        # One thread for each process, so that get() never waits; last in, first out keeps as few awake as will do.
        self._idle: LifoQueue[_Process] = LifoQueue()
        self._processes = [_Process() for _ in range(processes)]
        for process in self._processes:
            self._idle.put(process)

    @property
    def immediate(self) -> bool:
        """Whether a score is there as soon as it is asked for."""
        return self._verifier in ON_THE_SPOT

    def submit(self, answer: str, text: str) -> "Future[Score]":
        """The score of one answer, as soon as it is there; any number may wait at the same time."""
        if check := ON_THE_SPOT.get(self._verifier):
            done: Future[Score] = Future()
            done.set_result(check(answer, text))
            return done
        return self._threads.submit(self._ask, answer, text)

    def submit_again(self, answer: str, text: str) -> "Future[Score]":
        """As `submit`, for a text that will come again, as an expert's does every epoch: it is checked once."""
        key = hashlib.blake2b(f"{answer}\0{text}".encode(errors="surrogatepass"), digest_size=16).digest()
        if key not in self._known:
            self._known[key] = self.submit(answer, text)
        return self._known[key]

    def close(self) -> None:
        """Cancel what waits its turn, let running checks end (at most their timeout), and stop all processes."""
        self._threads.shutdown(wait=True, cancel_futures=True)
        for process in self._processes:
            process.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _ask(self, answer: str, text: str) -> Score:
        process = self._idle.get()
        try:
            return process.ask(answer, text, timeout_s=self._timeout_s)
        finally:
            self._idle.put(process)


def verify(answer: str, text: str, *, timeout_s: float = 5.0) -> Score:
    """`check_math` in a process of its own, killed after `timeout_s`; starting it takes half a second (see Checker)."""
    process = _Process()
    try:
        return process.ask(answer, text, timeout_s=timeout_s)
    finally:
        process.stop()


class _Process:
    """A checking process, started when first asked and again after its death. One caller at a time."""

    def __init__(self) -> None:
        self._child: subprocess.Popen[bytes] | None = None

    def ask(self, answer: str, text: str, *, timeout_s: float) -> Score:
        if self._child is None and (problem := self._begin()):
            return unproven("error", problem)
        request = {"answer": answer, "text": text[-LONGEST_TEXT:], "alarm_s": timeout_s + ALARM_SLACK_S}
        try:
            reply = self._exchange(request, timeout_s)
        except TimeoutError:
            self.stop()
            return _late(timeout_s)
        if reply is None:
            status = self.stop()
            # Its own alarm went off before this thread came to look: late all the same.
            return _late(timeout_s) if status == -signal.SIGALRM else unproven("error", _died(status))
        if reply.pop("retire"):
            self.stop()
        return Score(**reply)

    def _begin(self) -> str:
        """Start the child and wait until it is ready; what went wrong, if anything."""
        try:
            self._child = _start()
            ready = _reply(self._child, START_LIMIT_S)
        except OSError as error:  # no memory or no process left, or (TimeoutError) no sign of life
            self.stop()
            return f"no checking process could be started: {error!r}"
        return "" if ready is not None else _died(self.stop())

    def _exchange(self, request: dict[str, Any], timeout_s: float) -> dict[str, Any] | None:
        assert self._child is not None and self._child.stdin is not None
        try:
            rest = memoryview(json.dumps(request).encode() + b"\n")
            while rest:
                rest = rest[self._child.stdin.write(rest) :]
        except BrokenPipeError:
            return None
        return _reply(self._child, timeout_s)

    def stop(self) -> int | None:
        """Kill the process, if any, and return its exit status (negative: the signal; -9 if it was still alive)."""
        if self._child is None:
            return None
        child, self._child = self._child, None
        child.kill()
        with child:  # closes the pipes and reaps
            return child.wait()


def _start() -> subprocess.Popen[bytes]:
    """A new process in `serve`. A fresh interpreter: no fork of a parent with threads and torch in it.

    -P: a file in the working directory never shadows a module. In its own session, so that Ctrl-C and a stop signal
    to the run's group do not turn checks into errors.
    """
    environment = {name: os.environ[name] for name in KEPT_ENVIRONMENT if name in os.environ}
    environment["PYTHONPATH"] = str(Path(__file__).parents[1])
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "trapo_core.rewards"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        env=environment, start_new_session=True, bufsize=0,
    )  # fmt: skip


def _reply(child: "subprocess.Popen[bytes]", limit_s: float) -> dict[str, Any] | None:
    """The next reply; None if the child has closed its end. Raises TimeoutError after `limit_s`."""
    assert child.stdout is not None
    output = child.stdout.fileno()
    poll = select.poll()  # select() fails on file numbers above 1023, which a training process may reach
    poll.register(output, select.POLLIN)
    if not poll.poll(limit_s * 1000):
        raise TimeoutError
    line = os.read(output, select.PIPE_BUF)
    return json.loads(line) if line else None


def _late(timeout_s: float) -> Score:
    return unproven("timeout", f"no verdict within {timeout_s:g} s")


def _died(status: int | None) -> str:
    return f"the checking process died (exit status {status}, negative for a signal)"


# ----------------------------------------------------------------------------------------- inside a checking process


def serve(requests: BinaryIO, replies: int) -> None:
    """Answer requests line by line until the input ends. `replies` is a file number."""
    os.write(replies, b"{}\n")  # started
    for line in requests:
        request = json.loads(line)
        # The default action of SIGALRM ends the process even inside a C call that never returns.
        signal.setitimer(signal.ITIMER_REAL, request["alarm_s"])
        score = check_math(request["answer"], request["text"])
        signal.setitimer(signal.ITIMER_REAL, 0)
        reply = {**vars(score), "retire": _resident_bytes() > RETIRE_ABOVE}
        os.write(replies, json.dumps(reply).encode() + b"\n")


def _resident_bytes() -> int:
    """Memory of this process now. Not ru_maxrss: on Linux a new program inherits that peak from the process that
    started it, so beside a training process of a few gigabytes every check would seem to have used as much."""
    statm = Path("/proc/self/statm")
    if not statm.exists():  # macOS, where the peak is the program's own, in bytes
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(statm.read_text().split()[1]) * resource.getpagesize()


def _main() -> None:
    replies = os.dup(1)
    os.dup2(2, 1)  # whatever a library prints goes to stderr, never between the replies
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_LIMIT, MEMORY_LIMIT))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    check_math("1/2", r"\boxed{\frac{1}{2}}")  # builds the grammar's tables outside of anybody's time
    serve(sys.stdin.buffer, replies)


if __name__ == "__main__":
    _main()
