r"""Answer checking in processes: what hostile text can do, and that no process is left behind."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from trapo_core import rewards
from trapo_core.answers import Score, check_math
from trapo_core.rewards import Checker, verify

ROOT = Path(__file__).parents[2]
# Busy in one C call of sympy that no Python exception interrupts.
ENDLESS = r"\boxed{9^{9^{9^9}}}"


# ------------------------------------------------------------------------------------------------ killable checks


@pytest.fixture(scope="module")
def checker() -> Iterator[Checker]:
    with Checker("math", timeout_s=20, processes=1) as shared:
        yield shared


def children() -> set[int]:
    """Checking processes of this test process."""
    return {child.pid for child in psutil.Process().children() if "trapo_core.rewards" in child.cmdline()}


def ask(checker: Checker, *pairs: tuple[str, str]) -> list[Score]:
    async def all_at_once() -> list[Score]:
        return await asyncio.gather(*(checker.score(answer, text) for answer, text in pairs))

    return asyncio.run(all_at_once())


HOSTILE = {
    "tower": ENDLESS,
    "factorial": r"\boxed{10^{10^{8}}!}",
    "parentheses": r"\boxed{" + "(" * 20_000 + "1" + ")" * 20_000 + "}",
    "braces": r"\boxed{" + "{" * 20_000 + "1" + "}" * 20_000 + "}",
    "fractions": r"\boxed{" + r"\frac{1}{" * 3_000 + "1" + "}" * 3_000 + "}",
    "a megabyte": "x" * 1_000_000,
    "a megabyte of digits": "7" * 1_000_000,
    "dollars": "$ " * 500_000,
    "boxes": r"\boxed{" * 100_000,
    "sum": r"\boxed{\sum_{n=1}^{10^{12}} \frac{1}{n^n}}",
    "zeros": "\0" * 100_000,
    "half characters": "\ud800" * 10_000 + r"\boxed{\ud800}",
    "line ends": "\n\r\u2028" * 30_000,
}


def test_hostile_text_scores_zero_within_the_time() -> None:
    start = time.monotonic()
    with Checker("math", timeout_s=1.0, processes=2) as checker:
        scores = dict(zip(HOSTILE, ask(checker, *(("4", text) for text in HOSTILE.values())), strict=True))
        assert ask(checker, ("4", r"\boxed{4}"))[0].outcome == "right"
    assert {name: score for name, score in scores.items() if score.value} == {}
    assert scores["tower"].outcome == "timeout"
    assert time.monotonic() - start < 60  # a second each, and new processes on a busy machine


def test_verify_is_one_check_in_its_own_process() -> None:
    others = children()
    assert verify("4", r"\boxed{4}", timeout_s=20.0) == Score(1.0, "right")
    assert verify("4", ENDLESS, timeout_s=0.2).outcome == "timeout"
    assert children() == others


def test_a_timeout_kills_its_process_and_the_pool_goes_on() -> None:
    with Checker("math", timeout_s=1.0, processes=1) as checker:
        assert ask(checker, ("4", r"\boxed{4}"))[0].outcome == "right"
        before = children()
        scores = ask(checker, ("4", ENDLESS), ("4", r"\boxed{4}"), ("4", r"\boxed{5}"))
        assert [score.outcome for score in scores] == ["timeout", "right", "wrong"]
        assert "1 s" in scores[0].detail
        assert not before & children()
        old, *_ = before
        assert not psutil.pid_exists(old)


def test_scores_do_not_depend_on_order_or_company() -> None:
    pairs = [(str(i), rf"\boxed{{{i if i % 3 else i + 1}}}") for i in range(60)]
    pairs[30] = ("4", ENDLESS)
    with Checker("math", timeout_s=2.0, processes=2) as checker:
        forwards = ask(checker, *pairs)
        backwards = ask(checker, *reversed(pairs))  # a second event loop, the same processes
    assert forwards == backwards[::-1]
    assert forwards[30].outcome == "timeout"
    assert [s.outcome for i, s in enumerate(forwards) if i != 30] == [
        "right" if i % 3 else "wrong" for i in range(60) if i != 30
    ]


def test_scores_are_those_of_check_math(checker: Checker) -> None:
    pairs = [
        ("$69$,$84$", r"\boxed{84, 69}"),
        ("", "4"),
        ("C", r"\boxed{C) foo}"),
        (r"\frac{1}{0}", r"\boxed{4}"),
        ("é", "ü\n\0"),
    ]
    assert ask(checker, *pairs) == [check_math(*pair) for pair in pairs]


def test_a_process_that_dies_is_an_error_and_is_replaced(checker: Checker) -> None:
    async def killed_during_a_check() -> Score:
        check = asyncio.ensure_future(checker.score("4", ENDLESS))
        await asyncio.sleep(0.3)
        for pid in children():
            os.kill(pid, signal.SIGKILL)
        return await check

    assert ask(checker, ("4", r"\boxed{4}"))[0].outcome == "right"
    score = asyncio.run(killed_during_a_check())
    assert (score.value, score.outcome) == (0.0, "error")
    assert "-9" in score.detail
    assert ask(checker, ("4", r"\boxed{4}"))[0].outcome == "right"


def test_a_process_that_died_between_checks_is_an_error_once(checker: Checker) -> None:
    ask(checker, ("4", "4"))
    for pid in children():
        os.kill(pid, signal.SIGKILL)
        psutil.wait_procs([psutil.Process(pid)], timeout=5)
    assert [ask(checker, ("4", r"\boxed{4}"))[0].outcome for _ in range(2)] == ["error", "right"]


def test_a_process_that_cannot_start_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    assert verify("4", "4").outcome == "error"
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    assert "No such file" in verify("4", "4").detail


def test_processes_start_when_needed_and_end_with_close() -> None:
    others = children()
    checker = Checker("math", timeout_s=5.0, processes=3)
    assert children() == others
    assert ask(checker, ("4", r"\boxed{4}"))[0].outcome == "right"
    assert len(children() - others) == 1
    checker.close()
    checker.close()
    assert children() == others
    with pytest.raises(RuntimeError):
        ask(checker, ("4", "4"))


def test_a_large_parent_keeps_its_checking_process() -> None:
    others = children()
    ballast = b"x" * (rewards.RETIRE_ABOVE + (100 << 20))
    with Checker("math", timeout_s=20.0, processes=1) as checker:
        ask(checker, ("4", "4"))
        first = children() - others
        ask(checker, ("4", "4"))
        assert first == children() - others != set()
    assert len(ballast) > rewards.RETIRE_ABOVE


def test_the_small_world_needs_no_process() -> None:
    others = children()
    with Checker("small_world", timeout_s=0.001, processes=1) as checker:
        assert [s.value for s in ask(checker, ("6", "#6$"), ("6", "#7$"))] == [1.0, 0.0]
    assert children() == others


def test_a_cancelled_score_leaves_the_pool_working() -> None:
    async def cancelled(checker: Checker) -> Score:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(checker.score("4", ENDLESS), timeout=0.1)
        return await checker.score("4", r"\boxed{4}")

    with Checker("math", timeout_s=1.0, processes=1) as checker:
        assert asyncio.run(cancelled(checker)).outcome == "right"


def test_a_checking_process_is_bare() -> None:
    """No torch, no secrets, bounded memory, and deaf to Ctrl-C at its parent's terminal."""
    program = (
        "import sys, json; import trapo_core.rewards; "
        "print(json.dumps(sorted(m for m in ('torch', 'transformers', 'pyarrow', 'numpy') if m in sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert json.loads(run.stdout) == []
    os.environ["TRAPO_TEST_SECRET"] = "hush"
    try:
        with Checker("math", timeout_s=20.0, processes=1) as checker:
            others = children()
            ask(checker, ("4", "4"))
            child = psutil.Process((children() - others).pop())
            assert "TRAPO_TEST_SECRET" not in child.environ()
            assert child.rlimit(psutil.RLIMIT_AS)[0] == rewards.MEMORY_LIMIT
            assert os.getsid(child.pid) == child.pid
    finally:
        del os.environ["TRAPO_TEST_SECRET"]


@pytest.mark.parametrize("busy", [False, True])
def test_a_killed_parent_leaves_no_child(busy: bool) -> None:
    program = (
        "import asyncio; from trapo_core.rewards import Checker\n"
        "checker = Checker('math', timeout_s=2.0, processes=1)\n"
        "async def main():\n"
        "    await checker.score('4', '4')\n"
        "    print('ready', flush=True)\n"
        f"    await checker.score('4', r'{ENDLESS}') if {busy} else await asyncio.sleep(60)\n"
        "asyncio.run(main())\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None and parent.stdout.readline() == "ready\n"
        left = psutil.Process(parent.pid).children()
        assert len(left) == 1
        parent.kill()
    gone, alive = psutil.wait_procs(left, timeout=10)  # busy: by its own alarm, 3 s after the check began
    assert not alive and gone
