r"""Answer checking: what counts as equal, what hostile text can do, and that no process is left behind."""

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

from trapo_core import data, rewards
from trapo_core.rewards import Checker, Score, check_math, check_small_world, verify
from trapo_core.sources import FileData

ROOT = Path(__file__).parents[2]
DATA_DIR = Path(os.environ.get("TRAPO_DATA_DIR", ROOT.parent / "shared" / "data"))
# Busy in one C call of sympy that no Python exception interrupts.
ENDLESS = r"\boxed{9^{9^{9^9}}}"


# ------------------------------------------------------------------------------------------------ the small world


@pytest.mark.parametrize(
    ("text", "outcome"),
    [
        ("s7b*86#6$", "right"),
        ("#6$", "right"),
        ("#7$", "wrong"),
        ("#6", "wrong"),  # no end
        ("6$", "wrong"),  # no mark
        ("", "wrong"),
        ("#6$_", "wrong"),  # something behind the end
        ("#7#6$", "wrong"),  # the first # counts
        ("#6#6$", "wrong"),
        ("#66$", "wrong"),
        ("# 6 $", "wrong"),  # blanks are no tokens of this world
        ("#$", "wrong"),
    ],
)
def test_small_world_wants_the_first_mark_then_answer_then_end(text: str, outcome: str) -> None:
    score = check_small_world("6", text)
    assert score.outcome == outcome
    assert score.value == float(outcome == "right")


# --------------------------------------------------------------------------------------------------- mathematics


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ("72", r"The answer is \boxed{72}."),
        ("142.0", r"\boxed{142}"),
        ("025", r"\boxed{25}"),
        ("1/2", r"\boxed{\frac{1}{2}}"),
        (r"\frac{14}{3}", r"\boxed{\dfrac{14}{3}}"),
        (r"\frac{1}{3}", r"\boxed{0.333333333}"),
        ("1234", r"\boxed{1,234}"),
        (r"\$18.90", r"\boxed{18.9}"),
        (r"\$32,\!348", r"\boxed{\$32,348}"),
        (r"90^\circ", r"\boxed{90}"),
        (r"\left( 3, \frac{\pi}{2} \right)", r"\boxed{(3,\pi/2)}"),
        ("p - q", r"\boxed{-q+p}"),
        (r"\text{Evelyn}", r"\boxed{\text{Evelyn}}"),
        ("$2^{1009}$", r"\boxed{2^{1009}}"),
        ("$69$,$84$", r"\boxed{84, 69}"),
        ("$221,$8$", r"\boxed{221, 8}"),
        (r"$(-\infty, 0) \cup\{1\}$.", r"\boxed{(-\infty,0)\cup\{1\}}"),
        ("$2n-2$", r"\boxed{2(n-1)}"),
        ("x=5", r"\boxed{5}"),
        ("4.5e33", r"\boxed{4.5 \times 10^{33}}"),
        ("4.5e33", r"\boxed{4.5e33}"),
        ("8.7e8", r"\boxed{870,000,000}"),
        ("8.7e8", r"\boxed{8.7 \cdot 10^8}"),
        ("8.7e8", r"\boxed{87 \times 10^{7}}"),
        ("4.5e33", r"\boxed{45" + "0" * 32 + "}"),
        ("1.5E-3", r"\boxed{0.0015}"),
        ("2", r"\boxed{2}"),  # ARC numbers its options now and then
        ("C", r"\boxed{C}"),
        ("A", r"\boxed{\text{A}}"),
        ("B", r"\boxed{\mathbf{B}}"),
        ("204", "So x=3. Then 204."),  # unboxed: the last number
        ("204", r"First \boxed{204}. Check: \boxed{204}."),
        ("4", "<think>maybe 3</think> It is \\boxed{4}.<|im_end|>"),
        ("4", "<think>so \\boxed{4}</think>"),  # thoughts count
        ("10", "He has $10.\nThen $5 more, and $5 back. The answer is \\boxed{10}."),
    ],
)
def test_equal_answers_are_right(answer: str, text: str) -> None:
    assert check_math(answer, text) == Score(1.0, "right")


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ("72", r"\boxed{73}"),
        ("72", r"\boxed{-72}"),
        ("142.0", r"\boxed{142.1}"),
        (r"\frac{1}{3}", r"\boxed{0.33}"),
        (r"\frac{1}{2}", r"\boxed{\frac{2}{1}}"),
        ("(1,2)", r"\boxed{(2,1)}"),
        ("1234", r"\boxed{1.234}"),
        ("$69$,$84$", r"\boxed{69}"),
        ("$2n-2$", r"\boxed{2n-1}"),
        ("C", r"\boxed{D}"),
        ("C", r"\boxed{C) foo}"),  # math-verify reads it as text
        ("C", "The answer is C."),  # a letter counts in a formula only
        ("3", r"\boxed{3} or rather \boxed{4}"),  # two boxes are a set
        ("4", r"\boxed{3} or rather \boxed{4}"),
        ("4", r"\boxed{}"),
        ("4", "I do not know."),
        ("4", ""),
        ("4", "<|im_end|>"),
        ("4.5e33", r"\boxed{4.5 \times 10^{32}}"),
        ("8.7e8", r"\boxed{8.7}"),
    ],
)
def test_near_misses_are_wrong(answer: str, text: str) -> None:
    score = check_math(answer, text)
    assert (score.value, score.outcome) == (0.0, "wrong")
    assert score.detail


@pytest.mark.parametrize("answer", ["", " ", "$$", "$.$"])
def test_an_unreadable_reference_is_an_error_not_a_wrong_answer(answer: str) -> None:
    score = check_math(answer, r"\boxed{4}")
    assert (score.value, score.outcome) == (0.0, "error")
    assert "reference" in score.detail


def test_a_failing_comparison_is_an_error() -> None:
    score = check_math(r"\frac{1}{0}", r"\boxed{4}")
    assert (score.value, score.outcome) == (0.0, "error")
    assert "nan or zoo" in score.detail


def test_of_a_long_text_the_end_counts() -> None:
    padding = "word " * (rewards.LONGEST_TEXT // 5)
    assert check_math("4", padding + r"\boxed{4}").outcome == "right"
    assert check_math("4", r"\boxed{4} " + padding).outcome == "wrong"


def test_details_are_short() -> None:
    assert len(check_math("4", rf"\boxed{{{'x+' * 500}1}}").detail) <= rewards.LONGEST_DETAIL
    assert len(check_small_world("4", "# " + "7 " * 500).detail) <= rewards.LONGEST_DETAIL


def test_the_references_of_every_benchmark_are_readable_and_equal_to_themselves() -> None:
    folder = DATA_DIR / "benchmarks"
    if not folder.is_dir():
        pytest.skip(f"no {folder}; set TRAPO_DATA_DIR")
    for name in ("aime", "amc", "math", "minerva", "olympiad_bench"):
        problems = data.load_problems(FileData(format="valid", path=f"benchmarks/{name}.parquet"), DATA_DIR)
        for problem in problems[::5]:
            boxed = rewards.UNESCAPED_DOLLAR.sub("", problem.answer).removesuffix(".")
            assert check_math(problem.answer, rf"\boxed{{{boxed}}}").outcome == "right", problem.answer


def test_every_gsm8k_trace_is_right_by_the_checker() -> None:
    if not (DATA_DIR / "gsm8k").is_dir():
        pytest.skip(f"no {DATA_DIR / 'gsm8k'}; set TRAPO_DATA_DIR")
    for name in ("train", "test"):
        for problem in data.load_problems(FileData(format="gsm8k", path=f"gsm8k/{name}.jsonl"), DATA_DIR)[::4]:
            assert check_math(problem.answer, problem.traces[0]).outcome == "right", problem


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


def test_the_small_world_needs_no_process() -> None:
    others = children()
    with Checker("small_world", timeout_s=0.001, processes=1) as checker:
        assert [s.value for s in ask(checker, ("6", "#6$"), ("6", "#7$"))] == [1.0, 0.0]
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
