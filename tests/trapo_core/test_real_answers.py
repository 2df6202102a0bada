r"""Answers of the real benchmarks: other ways to write one are right, near misses are wrong.

The answers are drawn from the files, the forms are made by rules. Where the checker and the rule disagree, the pair
stands below with the reason; the test wants exactly those, so that none is dropped and none stays behind.
"""

import os
import random
import re
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import pytest

from trapo_core.answers import bare_reference, check_choice, check_math
from trapo_core.data import load_problems
from trapo_core.sources import FileData

DATA_DIR = Path(os.environ.get("TRAPO_DATA_DIR", Path(__file__).parents[2].parent / "shared" / "data"))
# How many answers are drawn from each file.
DRAWN = {"aime": 15, "aime25": 15, "amc": 20, "math": 60, "minerva": 40, "olympiad_bench": 50}
LONG = {"minerva", "olympiad_bench"}
CASES = [pytest.param(file, marks=[pytest.mark.slow] if file in LONG else []) for file in DRAWN]

NUMBER = re.compile(r"-?(?:\d{1,3}(?:,\d{3})+|\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
FRACTION = re.compile(r"(-?)\\[dt]?frac\{(\d+)\}\{(\d+)\}")
ROOT_OF = re.compile(r"(\d+) ?\\sqrt\{(\d+)\}")
LIST = re.compile(r"-?\d+(?:, ?-?\d+)+")
TUPLE = re.compile(r"(?:\\left)?\(([^()\[\]]+)(?:\\right)?\)")
INTERVAL = re.compile(r"[(\[][^()\[\]]+,[^()\[\]]+[)\]]")

KNOWN_TOO_STRICT = {
    ("58,500", r"\boxed{58, 500}"): "a comma with a blank separates two numbers, not thousands",
}
KNOWN_TOO_LENIENT = {
    (r"(-\infty, 0]", r"\boxed{[-\infty, 0]}"): "infinity is no real number, so either bracket leaves it out",
}


def drawn(file: str, count: int) -> list[str]:
    if not (path := DATA_DIR / "benchmarks" / f"{file}.parquet").is_file():
        pytest.skip(f"no {path}; set TRAPO_DATA_DIR")
    problems = load_problems(FileData(format="valid", path=f"benchmarks/{file}.parquet"), DATA_DIR)
    return random.Random(f"answers of {file}").sample([problem.answer for problem in problems], count)


# -------------------------------------------------------------------------------------------------- the same answer


def equals(answer: str) -> Iterator[str]:
    """Texts that give `answer` in other ways."""
    bare = bare_reference(answer)
    yield from ways_to_say(bare)
    yield boxed(bare.replace("\\frac", "\\dfrac") if "\\frac" in bare else bare.replace("\\dfrac", "\\frac"))
    yield boxed(re.sub(r"([,=])\s*", r"\1 ", bare))
    if NUMBER.fullmatch(bare):
        yield f"Then x = 3, so the answer is {bare}."
        yield from map(boxed, same_number(bare.replace(",", "")))
    elif LIST.fullmatch(bare):
        items = bare.split(",")
        yield from map(boxed, (",".join(reversed(items)), rf"\{{{bare}\}}", r" \text{ and } ".join(items)))
    if found := FRACTION.fullmatch(bare):
        yield from map(boxed, same_fraction(*found.groups()))
    if found := ROOT_OF.fullmatch(bare):
        factor, root = int(found[1]), int(found[2])
        yield from map(boxed, (rf"\sqrt{{{factor**2 * root}}}", rf"{factor}\cdot {root}^{{1/2}}"))
    if TUPLE.fullmatch(bare):
        tight = bare.replace("\\left", "").replace("\\right", "")
        yield boxed(tight)
        yield boxed(tight.replace("(", r"\left( ").replace(")", r" \right)"))


def ways_to_say(bare: str) -> Iterator[str]:
    yield boxed(bare)
    yield f"We find $y = 7$ first.\nThe final answer is $\\boxed{{ {bare} }}$.<|im_end|>"
    yield f"{boxed(bare)} and, to be sure, {boxed(bare)}"
    yield f"Therefore the answer is $${bare}$$"


def same_number(bare: str) -> Iterator[str]:
    value = Fraction(bare)
    yield f"x = {bare}"
    yield rf"{bare} \text{{ cm}}"
    yield rf"{bare}\,\mathrm{{m/s}}"
    yield f"{bare} cm"
    if "e" not in bare.lower():
        yield bare.rstrip("0").rstrip(".") if "." in bare else f"{bare}.00"
        yield f"{bare}0" if "." in bare else f"{bare}.0"
        yield rf"\frac{{{value.numerator}}}{{{value.denominator}}}"
    if value.denominator == 1 and abs(value) < 1e9:
        yield from (f"{int(value):,}".replace(",", comma) for comma in (",", "{,}", r"\,"))
    if value:
        digits, power = f"{float(value):.12e}".split("e")
        digits = digits.rstrip("0").rstrip(".")
        yield from (rf"{digits} \times 10^{{{int(power)}}}", f"{digits}e{int(power)}")


def same_fraction(sign: str, top: str, bottom: str) -> Iterator[str]:
    yield f"{sign}{top}/{bottom}"
    yield rf"\frac{{{sign}{top}}}{{{bottom}}}"
    yield rf"{sign}\frac{{{3 * int(top)}}}{{{3 * int(bottom)}}}"
    yield rf"{sign}\tfrac{{{top}}}{{{bottom}}}"
    if len(top) == len(bottom) == 1:
        yield rf"{sign}\frac{top}{bottom}"
    if 10**6 % int(bottom) == 0:
        yield f"{sign}{int(top) / int(bottom)}"


# ----------------------------------------------------------------------------------------------------- near misses


def misses(answer: str) -> Iterator[str]:
    """Texts that give almost `answer`."""
    bare = bare_reference(answer)
    yield boxed(bare) + boxed("987654321")
    if NUMBER.fullmatch(bare):
        yield from map(boxed, other_number(Fraction(bare.replace(",", ""))))
    elif found := FRACTION.fullmatch(bare):
        sign, top, bottom = found[1], int(found[2]), int(found[3])
        yield from map(boxed, (rf"{sign}\frac{{{bottom}}}{{{top}}}", rf"{sign}\frac{{{top + 1}}}{{{bottom}}}"))
        yield boxed(rf"{'' if sign else '-'}\frac{{{top}}}{{{bottom}}}")
    elif LIST.fullmatch(bare):
        first, *rest = bare.split(",")
        yield from map(boxed, (",".join(rest), ",".join([str(int(first) + 1), *rest]), f"{bare},987654321"))
    elif TUPLE.fullmatch(bare):
        yield from map(boxed, other_tuple(bare))
    elif "," not in bare and "=" not in bare and "\\text" not in bare:
        yield from map(boxed, (f"{bare} + 1", f"-({bare})"))
    if INTERVAL.fullmatch(bare):
        yield boxed(("(" if bare[0] == "[" else "[") + bare[1:])


def other_number(value: Fraction) -> Iterator[str]:
    def written(number: Fraction) -> str:
        if number.denominator == 1 and abs(number) < 10**12:
            return str(number)
        digits, power = f"{float(number):.9e}".split("e")
        return rf"{digits.rstrip('0').rstrip('.')} \times 10^{{{int(power)}}}"

    yield written(value * 10 + Fraction(1, 2))
    if abs(value) < 10**9:
        yield from (written(value + 1), written(value - 1))
    if value:
        yield from (written(-value), written(value * Fraction(11, 10)), written(value / 10))
        if abs(value) != 1:
            yield written(1 / value)


def other_tuple(bare: str) -> Iterator[str]:
    inner = bare.replace("\\left", "").replace("\\right", "").strip("()")
    first, *rest = inner.split(",")
    if rest and rest[-1].strip() != first.strip():
        yield f"({','.join([*rest, first])})"
    if len(rest) > 1:
        yield f"({','.join(rest)})"
    yield f"({','.join([f'{first}+1', *rest])})"


def boxed(text: str) -> str:
    return rf"\boxed{{{text}}}"


# ------------------------------------------------------------------------------------------------------- the facts


@pytest.mark.parametrize("file", CASES)
def test_other_ways_to_write_an_answer_are_right(file: str) -> None:
    pairs = {(answer, text) for answer in drawn(file, DRAWN[file]) for text in equals(answer)}
    strict = {pair for pair in pairs if check_math(*pair).outcome != "right"}
    assert strict == pairs & set(KNOWN_TOO_STRICT)


@pytest.mark.parametrize("file", CASES)
def test_near_misses_of_an_answer_are_wrong(file: str) -> None:
    pairs = {(answer, text) for answer in drawn(file, DRAWN[file]) for text in misses(answer)}
    lenient = {pair for pair in pairs if check_math(*pair).outcome != "wrong"}
    assert lenient == pairs & set(KNOWN_TOO_LENIENT)


def test_the_known_disagreements_are_drawn_and_at_least_200_answers_are() -> None:
    answers = {file: drawn(file, count) for file, count in DRAWN.items()}
    assert sum(map(len, answers.values())) >= 200
    every = {answer for several in answers.values() for answer in several}
    assert set(KNOWN_TOO_STRICT) <= {(answer, text) for answer in every for text in equals(answer)}
    assert set(KNOWN_TOO_LENIENT) <= {(answer, text) for answer in every for text in misses(answer)}


def test_options_of_arc_are_chosen_by_letter_and_by_no_other_letter_or_option_text() -> None:
    if not (DATA_DIR / "benchmarks" / "arc_c.parquet").is_file():
        pytest.skip(f"no {DATA_DIR / 'benchmarks' / 'arc_c.parquet'}; set TRAPO_DATA_DIR")
    problems = load_problems(FileData(format="valid", path="benchmarks/arc_c.parquet"), DATA_DIR)
    for problem in [*random.Random("options").sample(problems, 100), problems[44]]:  # the last has digits as options
        options = dict(re.findall(r"^([A-Z1-5])\) (.*)$", problem.prompt, re.M))
        assert problem.answer in options
        for option, words in options.items():
            outcome = "right" if option == problem.answer else "wrong"
            for text in option_texts(option, words):
                assert check_choice(problem.answer, text).outcome == outcome, (problem.answer, text)
            assert check_choice(problem.answer, boxed(rf"\text{{{words}}}")).outcome == "wrong"


def option_texts(option: str, words: str) -> Iterator[str]:
    yield from map(boxed, (option, rf"\text{{{option}}}", rf"\text{{({option})}}", f"{option}) {words}"))
    yield from map(boxed, (rf"\textbf{{{option}. {words}}}", rf"\mathrm{{{option}}}"))
    yield f"A) looks wrong and B) too. The answer is {option}."
    yield f"**Answer:** {option}"
    yield f"({option})"
    yield f"{option}) {words}"
