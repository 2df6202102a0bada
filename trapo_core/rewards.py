r"""Is this answer right? The small world's own rule, and math-verify in processes that can be killed.

A score is 1.0 for a right answer and 0.0 for everything else; `outcome` says which kind of everything else it was.
Format earns nothing, and the whole text counts, the expert's prefix included (ALGORITHMS 4.4, TRAPO's training reward).

What a model wrote is hostile input: `\boxed{9^{9^{9^9}}}` keeps sympy busy for ever inside one C call that no
exception can interrupt. `Checker` therefore asks long-lived processes over pipes, kills those that exceed their time,
and starts new ones. A checking process has no model, no torch, no secrets in its environment, and bounded memory. It
ends by itself: at the end of its input when the parent dies, by its own alarm when that happens during a check.
"""

import json
import os
import re
import resource
import select
import signal
import subprocess
import sys
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from queue import LifoQueue
from types import TracebackType
from typing import Any, BinaryIO, Literal, Self

import math_verify

Outcome = Literal["right", "wrong", "error", "timeout"]
Verifier = Literal["math", "small_world"]

# 8,192 tokens of mathematics are about 25,000 characters. Of more, the end is read: that is where answers stand.
LONGEST_TEXT = 100_000
MEMORY_LIMIT = 2 << 30  # bytes of address space of a checking process
RETIRE_ABOVE = 1 << 30  # bytes resident; sympy's caches never shrink
START_LIMIT_S = 120.0  # importing sympy takes half a second, on a machine under load much longer
ALARM_SLACK_S = 1.0  # how long after its time a check whose parent is gone ends itself
LONGEST_DETAIL = 200  # characters; keeps a reply below PIPE_BUF, so that it is written in one piece

UNESCAPED_DOLLAR = re.compile(r"(?<!\\)\$")
E_NOTATION = re.compile(r"([-+]?\d+(?:\.\d+)?)[eE]([-+]?\d{1,3})")
# What a checking process needs of its parent's environment: where the interpreter finds its libraries.
KEPT_ENVIRONMENT = ("PATH", "LD_LIBRARY_PATH", "LANG", "LC_ALL", "TMPDIR")


@dataclass(frozen=True)
class Score:
    """`value` is 1.0 for `right`, else 0.0. `error`: no verdict (unreadable reference, or the check itself broke)."""

    value: float
    outcome: Outcome
    detail: str = ""


RIGHT = Score(1.0, "right")


# ------------------------------------------------------------------------------------------------ the rules, pure


def check_small_world(answer: str, text: str) -> Score:
    """Right iff `text` ends in `#answer$` and that is its first `#` (see `arithmetic.py`)."""
    _, mark, end = text.partition("#")
    if not mark:
        return _not("wrong", "no # in the text")
    return RIGHT if end == f"{answer}$" else _not("wrong", f"read {'#' + end!r}")


def check_math(answer: str, text: str) -> Score:
    r"""Does `text` give `answer`, by math-verify 0.9? In this process and without a time limit: see `verify`.

    As TRAPO's training reward: the text is read whole (at most its last LONGEST_TEXT characters), thoughts included.
    Boxes go first; all boxes together are one set, so that two different boxes are wrong. Without a box the last
    formula or number counts. `142` equals `142.0`, `\text{A}` equals `A`; `C) foo` does not equal `C`.

    Unlike TRAPO's, dollar signs and a full stop of the reference are dropped before it is wrapped in `$...$`: 40% of
    OlympiadBench's have their own, and `$$x$$` or `$a$,$b$` would be read by luck. A reference such as `4.5e33` (one
    in eight of Minerva's) also stands for 4.5·10^33; math-verify alone reads 4.5·e·33 and fails every solver.

    Not promised: a letter, or a number such as `4.5e33`, is found in a text only inside a formula or box.
    `error` if the reference cannot be read or a comparison fails; text that cannot be read is `wrong`.
    """
    try:
        return _judged(answer, text)
    except Exception as error:  # noqa: BLE001 - sympy raises anything on odd input; it becomes the outcome
        return _not("error", f"the check failed: {type(error).__name__}: {error}")


def _judged(answer: str, text: str) -> Score:
    bare = UNESCAPED_DOLLAR.sub("", answer).strip().removesuffix(".")
    gold, problem = _parsed(f"${bare}$")
    for value in _powers(bare):
        gold += _parsed(f"${value}$")[0]
    if not gold:
        return _not("error", f"the reference answer {answer!r} cannot be read: {problem}")
    found, problem = _parsed(text[-LONGEST_TEXT:])
    if not found:
        return _not("wrong", problem)
    # The last entry is the answer as text; str() of an expression can take for ever.
    return _compared(gold, found, read=str(found[-1]) if isinstance(found[-1], str) else "")


def _powers(bare: str) -> tuple[str, ...]:
    """`8.7e8` in two forms that math-verify can read; each alone is unequal to some ways to write the number."""
    power = E_NOTATION.fullmatch(bare)
    if not power:
        return ()
    digits = f"{Decimal(bare):f}"
    return rf"{power[1]} \times 10^{{{power[2]}}}", digits if "." in digits else f"{digits}.0"


def _parsed(text: str) -> tuple[list[Any], str]:
    """math-verify's candidates, or none and the reason."""
    try:
        # parsing_timeout uses SIGALRM, which works in a main thread only; the time limit is the process's.
        found: list[Any] = math_verify.parse(text, parsing_timeout=None, raise_on_error=True)
    except (ValueError, RecursionError) as error:  # sympy's refusals are ValueErrors
        return [], f"{type(error).__name__}: {error}"
    return found, "no answer in the text"


def _compared(gold: list[Any], found: list[Any], *, read: str) -> Score:
    """Right if any pair is equal; else error if a comparison failed; else wrong."""
    failure = ""
    for pair in ((g, f) for g in gold for f in found):
        try:
            if math_verify.verify(*pair, timeout_seconds=None, raise_on_error=True) is True:
                return RIGHT
        except Exception as error:  # noqa: BLE001 - as above; another pair may still be equal
            failure = failure or f"comparing with {read!r} failed: {type(error).__name__}: {error}"
    return _not("error", failure) if failure else _not("wrong", f"read {read!r}")


def _not(outcome: Outcome, detail: str) -> Score:
    return Score(0.0, outcome, detail if len(detail) <= LONGEST_DETAIL else detail[: LONGEST_DETAIL - 1] + "…")


# ---------------------------------------------------------------------------------------------- asking from outside


class Checker:
    """Scores many answers at once. Use as a context manager, or call `close()`.

    The small world is checked on the spot. Mathematics is checked by `processes` processes, started when first needed
    and replaced when they die; `timeout_s` is the time of one check, without waiting its turn. Scores do not depend on
    order or company. After `close()`, `submit` raises RuntimeError.
    """

    def __init__(self, verifier: Verifier, *, timeout_s: float = 5.0, processes: int = 1) -> None:
        self._verifier = verifier
        self._timeout_s = timeout_s
        self._threads = ThreadPoolExecutor(processes, thread_name_prefix="checker")
        # One thread for each process, so that get() never waits; last in, first out keeps as few awake as will do.
        self._idle: LifoQueue[_Process] = LifoQueue()
        self._processes = [_Process() for _ in range(processes)]
        for process in self._processes:
            self._idle.put(process)

    def submit(self, answer: str, text: str) -> "Future[Score]":
        """The score of one answer, as soon as it is there; any number may wait at the same time."""
        if self._verifier == "small_world":
            done: Future[Score] = Future()
            done.set_result(check_small_world(answer, text))
            return done
        return self._threads.submit(self._ask, answer, text)

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
            return _not("error", problem)
        request = {"answer": answer, "text": text[-LONGEST_TEXT:], "alarm_s": timeout_s + ALARM_SLACK_S}
        try:
            reply = self._exchange(request, timeout_s)
        except TimeoutError:
            self.stop()
            return _late(timeout_s)
        if reply is None:
            status = self.stop()
            # Its own alarm went off before this thread came to look: late all the same.
            return _late(timeout_s) if status == -signal.SIGALRM else _not("error", _died(status))
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
    return _not("timeout", f"no verdict within {timeout_s:g} s")


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
