r"""The rules for answers: what counts as equal and what does not, one by one."""

import os
from pathlib import Path

import pytest

from trapo_core import answers, data
from trapo_core.answers import Score, boxes, check_choice, check_math, check_small_world
from trapo_core.sources import FileData

ROOT = Path(__file__).parents[2]
DATA_DIR = Path(os.environ.get("TRAPO_DATA_DIR", ROOT.parent / "shared" / "data"))


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


# ------------------------------------------------------------------------------------------------ multiple choice


@pytest.mark.parametrize(
    "text",
    [
        r"\boxed{C}", r"\boxed{\text{C}}", r"\boxed{\textbf{(C)}}", r"\boxed{C) foo}", r"\boxed{\text{C. } 5\text{ N}}",
        r"\boxed{ C. }", r"\boxed{c}", r"\boxed{The answer is C.}", r"A) no. \boxed{\mathrm{C}}, since B) is wrong",
        r"\boxed{C}, as said: \boxed{\text{C) foo}}", r"\boxed{4 + 1} so \boxed{C}", "(C)", "Not (A) but (C)", "C",
        "C.", "C) foo", "The answer is C.", "The answer is (C), since ...", "**Answer:** C",
        r"the correct option is $\mathbf{C}$.",
        "The answer is A. No: the answer is C.", "A. wrong\nB. wrong\nFinal answer: C\n<|im_end|>",
    ],
)  # fmt: skip
def test_a_letter_in_a_box_or_sentence_chooses_its_option(text: str) -> None:
    assert check_choice("C", text) == Score(1.0, "right")


@pytest.mark.parametrize(
    "text",
    [
        r"\boxed{D}", r"\boxed{Carbon}", r"\boxed{C atoms}", r"\boxed{C, D}", r"\boxed{A} or \boxed{C}", r"\boxed{2.5}",
        "The answer is carbon.", "I think that (C) may be right, but (D) is.", "The answer is D, not (C).", "Carbon",
        "", "C is a letter.\nD is one too.", r"\boxed{C", r"\boxed{\frac{C}{2}}", "ABC)",
    ],
)  # fmt: skip
def test_words_letters_in_words_and_several_letters_choose_nothing_or_another(text: str) -> None:
    score = check_choice("C", text)
    assert (score.value, score.outcome) == (0.0, "wrong")
    assert score.detail


def test_digits_are_options_too_but_no_number_is() -> None:
    assert check_choice("2", r"\boxed{2) 10 N}").outcome == "right"
    assert check_choice("2", r"\boxed{2.5\text{ N}}").outcome == "wrong"
    assert check_choice("2", "The answer is 20 N.").outcome == "wrong"


@pytest.mark.parametrize("answer", ["", "CD", "12", "carbon"])
def test_a_reference_that_is_no_option_is_an_error(answer: str) -> None:
    assert check_choice(answer, r"\boxed{C}").outcome == "error"


def test_boxes_are_found_with_braces_balanced() -> None:
    text = r"\boxed{a{b}\}c} } \boxed {d} \boxed{\boxed{e}} \boxed{f"
    assert list(boxes(text)) == [r"a{b}\}c", "d", "e", r"\boxed{e}"]


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
        ("5.3e-9", r"\boxed{5.3 \times 10^{-9} \text{ m}}"),
        ("5.3e-9", r"$m = 5.3 \cdot 10^{-9}$"),
        ("5.3e-9", "So m is 5.3e-9."),
        ("110", r"\boxed{1.1 \times 10^2}"),
        ("2e-1", r"\boxed{0.2}"),
        ("2e-1", r"\boxed{2e-1}"),
        ("-1 + 2e", r"\boxed{2e-1}"),  # Euler's number
        ("0.2", r"\boxed{2e-1}"),
        ("50", r"\boxed{50\%}"),
        (r"50\%", r"\boxed{0.5}"),
        (r"0.05\%", r"\boxed{0.05\%}"),
        ("12", r"\boxed{12\text{ cm}^2}"),
        (r"12 \text{ cm}", r"\boxed{12}"),
        ("1234567", r"\boxed{1\,234\,567}"),
        ("336^\\circ", r"\boxed{336°}"),
        ("5", r"\boxed{5.}"),
        (r"\{1,2,3\}", r"\boxed{\{3,2,1\}}"),
        ("[1,2)", r"\boxed{[1, 2)}"),
        (r"\sqrt{8}", r"\boxed{2\sqrt2}"),
        (r"\frac{1}{\sqrt{2}}", r"\boxed{\frac{\sqrt{2}}{2}}"),
        (r"1 \pm \sqrt{19}", r"\boxed{1+\sqrt{19}, 1-\sqrt{19}}"),
        (r"\begin{pmatrix}1&2\\3&4\end{pmatrix}", r"\boxed{\begin{bmatrix} 1 & 2 \\ 3 & 4 \end{bmatrix}}"),
        (r"\text{even}", r"\boxed{\mathrm{even}}"),
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
        ("5.3e-9", r"\boxed{5.4 \times 10^{-9}}"),  # math-verify alone: equal, as both are 0.000000
        ("5.3e-9", r"\boxed{5.3e-8}"),
        ("5.3e-9", r"$m = 5.4 \cdot 10^{-9}$"),
        (r"6.7 \times 10^{-11}", r"\boxed{6.8 \times 10^{-11}}"),
        (r"\frac{1}{4000000}", r"\boxed{0.0000003}"),
        ("1e-9", r"\boxed{-10^{-9}}"),
        ("110", r"\boxed{1.1 \times 10^3}"),
        ("[1,2)", r"\boxed{[1,2]}"),
        (r"\{1,2,3\}", r"\boxed{\{1,2\}}"),
        (r"\begin{pmatrix}1&2\\3&4\end{pmatrix}", r"\boxed{\begin{pmatrix}1&2\\3&5\end{pmatrix}}"),
        (r"\text{even}", r"\boxed{\text{odd}}"),
        ("12", r"\boxed{12 cm^2}"),  # a unit with a power, outside of \text, is a product
        ("(-\\infty, 2)", r"\boxed{x<2}"),  # a relation is no set
        ("np.arcsin(10/13)", r"\boxed{\arcsin(10/13)}"),  # Minerva has a line of Python among its references
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
    padding = "word " * (answers.LONGEST_TEXT // 5)
    assert check_math("4", padding + r"\boxed{4}").outcome == "right"
    assert check_math("4", r"\boxed{4} " + padding).outcome == "wrong"


def test_details_are_short() -> None:
    assert len(check_math("4", rf"\boxed{{{'x+' * 500}1}}").detail) <= answers.LONGEST_DETAIL
    assert len(check_small_world("4", "# " + "7 " * 500).detail) <= answers.LONGEST_DETAIL


def test_the_references_of_every_benchmark_are_readable_and_equal_to_themselves() -> None:
    folder = DATA_DIR / "benchmarks"
    if not folder.is_dir():
        pytest.skip(f"no {folder}; set TRAPO_DATA_DIR")
    for name in ("aime", "amc", "math", "minerva", "olympiad_bench"):
        problems = data.load_problems(FileData(format="valid", path=f"benchmarks/{name}.parquet"), DATA_DIR)
        for problem in problems[::5]:
            boxed = answers.bare_reference(problem.answer)
            assert check_math(problem.answer, rf"\boxed{{{boxed}}}").outcome == "right", problem.answer


def test_every_gsm8k_trace_is_right_by_the_checker() -> None:
    if not (DATA_DIR / "gsm8k").is_dir():
        pytest.skip(f"no {DATA_DIR / 'gsm8k'}; set TRAPO_DATA_DIR")
    for name in ("train", "test"):
        for problem in data.load_problems(FileData(format="gsm8k", path=f"gsm8k/{name}.jsonl"), DATA_DIR)[::4]:
            assert check_math(problem.answer, problem.traces[0]).outcome == "right", problem
