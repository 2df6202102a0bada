r"""What makes an answer right: the small world's own rule, letters of multiple choice, and math-verify; pure functions.

A score is 1.0 for a right answer and 0.0 for everything else; `outcome` says which kind of everything else it was.
Format earns nothing, and the whole text counts, the expert's prefix included (ALGORITHMS 4.4, TRAPO's training reward).
The data's kind chooses the rule (`sources.py: FileData.answers`), never the method or the model.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from itertools import product
from typing import Any, Literal

import math_verify
from sympy import Equality, Expr

Outcome = Literal["right", "wrong", "error", "timeout"]
Verifier = Literal["math", "choice", "small_world"]

# 8,192 tokens of mathematics are about 25,000 characters. Of more, the end is read: that is where answers stand.
LONGEST_TEXT = 100_000
LONGEST_DETAIL = 200  # characters; keeps a checking process's reply below PIPE_BUF, so that it is written in one piece
LONGEST_OPTION = 400  # characters of a box in which a letter is looked for

# math-verify rounds at six decimals, to which every number below 10^-6 is zero. Four digits have to agree there.
SMALL = 1e-3
SMALL_TOLERANCE = 1e-4

UNESCAPED_DOLLAR = re.compile(r"(?<!\\)\$")
E_NOTATION = re.compile(r"([-+]?\d+(?:\.\d+)?)[eE]([-+]?\d{1,3})")
NUMBER = re.compile(r"[-+]?[\d.,]+(?:[eE][-+]?\d{1,3})?")
# At most two digits of exponent: what a model writes shall not grow a thousandfold.
E_NOTATION_IN_TEXT = re.compile(r"(?<![\w.\\])\d+(?:\.\d+)?[eE][-+]?\d{1,2}(?!\w)")
TIMES_POWER = r"([-+]?\d+(?:\.\d+)?)\s*\\(?:times|cdot)\s*10\s*\^\s*(?:\{\s*([-+]?\d{1,3})\s*\}|(\d))"
BOXED_TIMES_POWER = re.compile(rf"\\boxed\{{\s*{TIMES_POWER}(?=\s*(?:\}}|~|\\,|\\ |\\text|\\mathrm))")
BOXED_FULL_STOP = re.compile(r"(\\boxed\{\s*[-+]?[\d,]*\d)\.\s*\}")
THIN_SPACE_THOUSANDS = re.compile(r"(?<=\d)\\,(?=\d{3}(?!\d))")

BRACE = re.compile(r"\\boxed\s*\{|\\.|[{}]", re.DOTALL)
STYLE = re.compile(r"\\(?:(?:text|math)(?:bf|it|rm|sf)?|mbox|bf|rm|left|right)(?![a-zA-Z])|\\[,;:! ]|[${}~*]")
SAID = r"(?:answer|option|choice)(?:\s+(?:is|would\s+be))?"
OPTION = re.compile(
    rf"\s*(?:(?:the\s+)?(?:correct\s+|final\s+|best\s+)?{SAID}\s*:?\s*)?\(?([A-Z]|\d)\s*(?:[).:](?!\d)|$)", re.I
)
STATED = re.compile(rf"\b{SAID}\s*:?\s*\(?([A-Z]|\d)(?:[).:,;](?!\d)|\s*$)", re.I | re.M)
BRACKETED = re.compile(r"(?<![\w(])\(([A-Z]|\d)\)")


@dataclass(frozen=True)
class Score:
    """`value` is 1.0 for `right`, else 0.0. `error`: no verdict (unreadable reference, or the check itself broke)."""

    value: float
    outcome: Outcome
    detail: str = ""


RIGHT = Score(1.0, "right")


def unproven(outcome: Outcome, detail: str) -> Score:
    """Any score but `right`."""
    return Score(0.0, outcome, detail if len(detail) <= LONGEST_DETAIL else detail[: LONGEST_DETAIL - 1] + "…")


# ------------------------------------------------------------------------------------------------ the small world


def check_small_world(answer: str, text: str) -> Score:
    """Right iff `text` ends in `#answer$` and that is its first `#` (see `arithmetic.py`)."""
    _, mark, end = text.partition("#")
    if not mark:
        return unproven("wrong", "no # in the text")
    return RIGHT if end == f"{answer}$" else unproven("wrong", f"read {'#' + end!r}")


# ------------------------------------------------------------------------------------------------ multiple choice


def check_choice(answer: str, text: str) -> Score:
    r"""Does `text` choose the option `answer`, a letter or a digit?

    Boxes go first: `\boxed{C}`, `\boxed{\text{C}}`, `\boxed{(C)}`, `\boxed{C) foo}`, `\boxed{The answer is C.}`; as in
    mathematics two boxes with different options are wrong. Without a box that names one, the last `The answer is C.`
    counts, else the last `(C)`, else the text if it is nothing but an option. Words of an option never count, nor does
    a letter among words: `\boxed{A planet}` chooses nothing.
    """
    option = answer.strip().strip("()$.").upper()
    if not re.fullmatch(r"[A-Z]|\d", option):
        return unproven("error", f"the reference answer {answer!r} is no letter or digit of an option")
    chosen = _chosen(text[-LONGEST_TEXT:])
    if chosen == {option}:
        return RIGHT
    return unproven("wrong", f"read {', '.join(sorted(chosen))}" if chosen else "no option is named")


def _chosen(text: str) -> set[str]:
    if boxed := {option for content in boxes(text) if (option := _option(_plain(content)))}:
        return boxed
    plain = _plain(text)
    stated = STATED.findall(plain) or BRACKETED.findall(plain)
    last = stated[-1].upper() if stated else "" if "\n" in plain else _option(plain)
    return {last} if last else set()


def _plain(text: str) -> str:
    """Without LaTeX and Markdown styles, blank lines and runs of blanks, over which patterns would take for ever."""
    lines = (" ".join(line.split()) for line in STYLE.sub("", text).splitlines())
    return "\n".join(line for line in lines if line)


def _option(text: str) -> str:
    """The option that this text is, or an empty text."""
    found = OPTION.match(text)
    return found[1].upper() if found else ""


def boxes(text: str) -> Iterator[str]:
    r"""The contents (at most LONGEST_OPTION characters) of every closed `\boxed{...}`, in one pass over the text."""
    opened: list[int | None] = []  # for each open brace where its box's content begins; None for other braces
    for mark in BRACE.finditer(text):
        if mark[0] == "{":
            opened.append(None)
        elif mark[0].startswith(r"\boxed"):
            opened.append(mark.end())
        elif mark[0] == "}" and opened and (begin := opened.pop()) is not None:
            yield text[begin : min(mark.start(), begin + LONGEST_OPTION)]


# --------------------------------------------------------------------------------------------------- mathematics


def check_math(answer: str, text: str) -> Score:
    r"""Does `text` give `answer`, by math-verify 0.9? In this process and without a time limit: see `rewards.verify`.

    As TRAPO's training reward: the text is read whole (at most its last LONGEST_TEXT characters), thoughts included.
    Boxes go first; all boxes together are one set, so that two different boxes are wrong. Without a box the last
    formula or number counts. `142` equals `142.0`, `\text{A}` equals `A`; `C) foo` does not equal `C`.

    Unlike TRAPO's,
    - dollar signs and a full stop of the reference are dropped before it is wrapped in `$...$`: 40% of OlympiadBench's
      have their own, and `$$x$$` or `$a$,$b$` would be read by luck;
    - `4.5e33` (one in eight of Minerva's references) is 4.5·10^33, and so it is in texts where the reference is a plain
      number; math-verify alone reads 4.5·e·33 and fails every solver;
    - of a reference below a thousandth four digits must agree; math-verify alone rounds at six decimals, and takes
      10^-8 for the charge of the electron;
    - `336°`, `1\,234`, `\boxed{5.}` and `\boxed{1.1 \times 10^{2}}` (which is 110.00000000000001 in binary floats) are
      read as what they mean.

    Not promised: a letter is found in a text only inside a formula or box. Units with powers count as units inside
    `\text` or `\mathrm` only. Small numbers inside sets and tuples are rounded as math-verify does.
    `error` if the reference cannot be read or a comparison fails; text that cannot be read is `wrong`.
    """
    try:
        return _judged(answer, text)
    except Exception as error:  # noqa: BLE001 - sympy raises anything on odd input; it becomes the outcome
        return unproven("error", f"the check failed: {type(error).__name__}: {error}")


def _judged(answer: str, text: str) -> Score:
    bare = bare_reference(answer)
    gold, problem = _parsed(f"${bare}$")
    for value in _powers(bare):
        gold += _parsed(f"${value}$")[0]
    if not gold:
        return unproven("error", f"the reference answer {answer!r} cannot be read: {problem}")
    words = _readable(text[-LONGEST_TEXT:])
    if NUMBER.fullmatch(bare):
        words = _written_out(words)[-LONGEST_TEXT:]
    found, problem = _parsed(words)
    if not found:
        return unproven("wrong", problem)
    # The last entry is the answer as text; str() of an expression can take for ever.
    return _compared(gold, found, reference=bare, read=str(found[-1]) if isinstance(found[-1], str) else "")


def bare_reference(answer: str) -> str:
    """The reference without dollar signs and full stop, readable to math-verify."""
    return _readable(UNESCAPED_DOLLAR.sub("", answer).strip().removesuffix("."))


def _readable(text: str) -> str:
    """What mathematicians write and math-verify misreads, in words that it knows."""
    text = BOXED_TIMES_POWER.sub(lambda found: rf"\boxed{{{Decimal(f'{found[1]}e{found[2] or found[3]}'):f}", text)
    text = BOXED_FULL_STOP.sub(r"\1}", text)
    return THIN_SPACE_THOUSANDS.sub("", text).replace("°", r"^\circ")


def _written_out(text: str) -> str:
    """`4.5e33` as plain digits. Where the reference is no plain number `2e-1` may mean 2·e - 1."""
    return E_NOTATION_IN_TEXT.sub(lambda found: f"{Decimal(found[0]):f}", text)


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


def _compared(gold: list[Any], found: list[Any], *, reference: str, read: str) -> Score:
    """Right if any pair is equal; else error if a comparison failed; else wrong."""
    failure = ""
    by_percent = "%" in reference + read  # where 0.05% may stand for 0.05 as well
    for pair in product(gold, found):
        try:
            equal = math_verify.verify(*pair, timeout_seconds=None, raise_on_error=True) is True
            if equal and (by_percent or not _far_apart(*pair)):
                return RIGHT
        except Exception as error:  # noqa: BLE001 - as above; another pair may still be equal
            failure = failure or f"comparing with {read!r} failed: {type(error).__name__}: {error}"
    return unproven("error", failure) if failure else unproven("wrong", f"read {read!r}")


def _far_apart(gold: Any, found: Any) -> bool:
    """Two numbers that are alike only because both are small."""
    gold, found = _side(gold), _side(found)
    if not (isinstance(gold, Expr) and isinstance(found, Expr) and gold.is_number and found.is_number):
        return False
    size = abs(gold.evalf())
    return bool(0 < size < SMALL) and bool(abs((found - gold).evalf()) > SMALL_TOLERANCE * size)


def _side(value: Any) -> Any:
    """Of `x = 5` the 5."""
    return value.rhs if isinstance(value, Equality) else value


ON_THE_SPOT: Mapping[Verifier, Callable[[str, str], Score]] = {
    "small_world": check_small_world,
    "choice": check_choice,
}
