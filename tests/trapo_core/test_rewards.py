r"""Answer checking in processes: what hostile text can do, and that no process is left behind."""

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
from trapo_core.rewards import Checker, Verifier, verify

ROOT = Path(__file__).parents[2]
# Busy in one C call of sympy that no Python exception interrupts.
ENDLESS = r"\boxed{9^{9^{9^9}}}"
# Beyond its limit, a check may take the time to kill its process, on a busy machine.
SLACK_S = 1.0


# ------------------------------------------------------------------------------------------------ killable checks


@pytest.fixture(scope="module")
def checker() -> Iterator[Checker]:
    with Checker("math", timeout_s=20, processes=1) as shared:
        yield shared


def children() -> set[int]:
    """Checking processes of this test process."""
    return {child.pid for child in psutil.Process().children() if "trapo_core.rewards" in child.cmdline()}


def ask(checker: Checker, *pairs: tuple[str, str]) -> list[Score]:
    return [score.result() for score in [checker.submit(answer, text) for answer, text in pairs]]


HOSTILE = {
    "tower": ENDLESS,
    "tower of tens": r"\boxed{10^{10^{10^{10^{10}}}}}",
    "power of a power": r"\boxed{((10^{10})^{10^9})^{10^9}}",
    "factorial": r"\boxed{10^{10^{8}}!}",
    "factorial of a factorial": r"\boxed{(100000!)!}",
    "binomial": r"\boxed{\binom{10^{9}}{5 \cdot 10^{8}}}",
    "parentheses": r"\boxed{" + "(" * 20_000 + "1" + ")" * 20_000 + "}",
    "braces": r"\boxed{" + "{" * 20_000 + "1" + "}" * 20_000 + "}",
    "braces never closed": r"\boxed{" + "{" * 100_000,
    "braces never opened": r"\boxed{" + "}" * 100_000,
    "fractions": r"\boxed{" + r"\frac{1}{" * 3_000 + "1" + "}" * 3_000 + "}",
    "roots": r"\boxed{" + r"\sqrt{" * 3_000 + "2" + "}" * 3_000 + "}",
    "a megabyte": "x" * 1_000_000,
    "a megabyte of digits": "7" * 1_000_000,
    "dollars": "$ " * 500_000,
    "boxes": r"\boxed{" * 100_000,
    "sum": r"\boxed{\sum_{n=1}^{10^{12}} \frac{1}{n^n}}",
    "integral": r"\boxed{\int_0^{\infty} e^{-x^{x^{x}}} \sin(x^{100}) dx}",
    "matrix": r"\boxed{\begin{pmatrix}" + r" & ".join(["1/7"] * 3_000) + r"\end{pmatrix}^{1000000}}",
    "zeros": "\0" * 100_000,
    "half characters": "\ud800" * 10_000 + r"\boxed{\ud800}",
    "line ends": "\n\r\u2028" * 30_000,
    "thousands without end": "1,234" * 20_000,
    "powers without end": "1e99 " * 20_000,
    "thin spaces": r"1\," * 30_000,
    "blanks before an option": "The answer is" + " " * 99_000 + "?",
    "equations": r"\boxed{" + "x=" * 30_000 + "4}",
    "a very small number": r"\boxed{10^{-10^{10^{10}}}}",
}


@pytest.mark.slow
def test_hostile_text_is_answered_within_the_time_and_the_checker_goes_on() -> None:
    """One after the other, so that each answer's own time is seen. The check before it starts the process anew where
    the last one's was killed: no answer's time has a start in it."""
    with Checker("math", timeout_s=0.5, processes=1) as checker:
        for name, text in HOSTILE.items():
            assert ask(checker, ("4", r"\boxed{4}"))[0].outcome == "right"
            began = time.monotonic()
            # A small reference is compared digit by digit as well.
            [score] = ask(checker, ("5.3e-9" if name == "a very small number" else "4", text))
            assert time.monotonic() - began < 0.5 + SLACK_S, name
            assert score.value == 0.0 and score.outcome in ("wrong", "error", "timeout"), (name, score)
            if name == "tower":
                assert score.outcome == "timeout"
        assert ask(checker, ("4", r"\boxed{4}"))[0].outcome == "right"


def test_hostile_text_takes_no_time_where_letters_are_sought() -> None:
    with Checker("choice", processes=1) as checker:
        began = time.process_time()
        scores = ask(checker, *(("C", text) for text in HOSTILE.values()))
        assert time.process_time() - began < 3
        assert {score.outcome for score in scores} == {"wrong"}
        assert ask(checker, ("C", r"\boxed{C}"))[0].outcome == "right"


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
    assert ask(checker, ("4", r"\boxed{4}"))[0].outcome == "right"
    check = checker.submit("4", ENDLESS)
    time.sleep(0.3)
    for pid in children():
        os.kill(pid, signal.SIGKILL)
    score = check.result()
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


@pytest.mark.parametrize(
    ("verifier", "right", "wrong"), [("small_world", "#6$", "#7$"), ("choice", r"\boxed{6}", r"\boxed{7}")]
)
def test_the_small_world_and_options_need_no_process(verifier: Verifier, right: str, wrong: str) -> None:
    others = children()
    with Checker(verifier, timeout_s=0.001, processes=1) as checker:
        assert [s.value for s in ask(checker, ("6", right), ("6", wrong))] == [1.0, 0.0]
    assert children() == others


def test_a_cancelled_score_leaves_the_pool_working() -> None:
    with Checker("math", timeout_s=1.0, processes=1) as checker:
        running, waiting = checker.submit("4", ENDLESS), checker.submit("4", ENDLESS)
        assert waiting.cancel()
        assert ask(checker, ("4", r"\boxed{4}"))[0].outcome == "right"
        assert running.result().outcome == "timeout"


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
        "import time; from trapo_core.rewards import Checker\n"
        "checker = Checker('math', timeout_s=2.0, processes=1)\n"
        "checker.submit('4', '4').result()\n"
        "print('ready', flush=True)\n"
        f"checker.submit('4', r'{ENDLESS}').result() if {busy} else time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None and parent.stdout.readline() == "ready\n"
        left = psutil.Process(parent.pid).children()
        assert len(left) == 1
        parent.kill()
    gone, alive = psutil.wait_procs(left, timeout=10)  # busy: by its own alarm, 3 s after the check began
    assert not alive and gone
