"""The small world: problems, expert traces and vocabulary in which the method's effects show on a CPU in minutes.

A *chain* is a list of labelled variables modulo 10, `^s7b*8j-2?` (s = 7, b = s·8, j = b-2), and asks for the last one.
Its trace copies each label, operator and operand and writes the running value: `s7b*86j-24#4`.
The expert now and then *leaps* over one or two labels and writes only the landing label and its value: right, but
unusable for a small model, which cannot do several operations at once. A *fact* `^RDH?` has a memorised answer;
facts are never trained after the base and show what training forgets.

Every character is one token. An answer is right if the output ends in `#answer$`, with its first `#`.
"""

import random
from dataclasses import dataclass

from trapo_core.sources import SmallWorldData

BOS, EOS, PAD, QUESTION, ANSWER, FACT = "^", "$", "_", "?", "#", "R"
LABELS = tuple("abcdefghijklmnopqrstuvwx")
DIGITS = tuple("0123456789")
OPERATORS = ("+", "-", "*")
KEYS = tuple("ABCDEFGHIJKLMNOPQSTU")
VOCABULARY = (PAD, EOS, BOS, *LABELS, *DIGITS, *OPERATORS, ANSWER, QUESTION, FACT, *KEYS)

# 0 and 5 lose information under multiplication modulo 10: a wrong chain would too often end right.
FACTORS = (1, 2, 3, 4, 6, 7, 8, 9)
FACT_SHARE = 0.25
MAX_LEAPS = 2  # labels skipped at once


@dataclass(frozen=True)
class Op:
    """One variable: `label` = previous `operator` operand, and its value modulo 10."""

    label: str
    operator: str
    operand: int
    value: int


@dataclass(frozen=True)
class Chain:
    """A start variable and the operations that follow."""

    start: str
    start_value: int
    ops: tuple[Op, ...]

    @property
    def prompt(self) -> str:
        steps = [f"{op.label}{op.operator}{op.operand}" for op in self.ops]
        return "".join([BOS, self.start, str(self.start_value), *steps, QUESTION])

    @property
    def answer(self) -> str:
        return str(self.ops[-1].value)


def make_chain(rng: random.Random, ops: int) -> Chain:
    """A random chain of `ops` operations on distinct labels (at most 23)."""
    start, *labels = rng.sample(LABELS, ops + 1)
    start_value = value = rng.randrange(10)
    made = []
    for label in labels:
        operator = rng.choice(OPERATORS)
        operand = rng.choice(FACTORS) if operator == "*" else rng.randrange(10)
        value = _apply(value, operator, operand)
        made.append(Op(label, operator, operand, value))
    return Chain(start, start_value, tuple(made))


def trace(chain: Chain, rng: random.Random | None = None, leap_probability: float = 0.0) -> str:
    """The worked solution without its end token; with `leap_probability`, the expert's, which sometimes leaps."""
    parts, position = [chain.start, str(chain.start_value)], 0
    while position < len(chain.ops):
        leaps = _leaps(rng, leap_probability, len(chain.ops) - 1 - position) if rng else 0
        position += leaps
        op = chain.ops[position]
        parts += [op.label, str(op.value)] if leaps else [op.label, op.operator, str(op.operand), str(op.value)]
        position += 1
    return "".join([*parts, ANSWER, chain.answer])


def direct(chain: Chain) -> str:
    """The bare answer, as somebody who guesses would give it."""
    return ANSWER + chain.answer


def facts(seed: int = 0) -> list[tuple[str, str]]:
    """(prompt, answer) of every memorised fact of the world `seed`: about a quarter of the ordered key pairs."""
    rng = random.Random(f"facts-{seed}")
    pairs = [(first, second) for first in KEYS for second in KEYS if first != second]
    return [
        ("".join([BOS, FACT, first, second, QUESTION]), str(rng.randrange(10)))
        for first, second in pairs
        if rng.random() < FACT_SHARE
    ]


def make_problems(source: SmallWorldData) -> list[tuple[str, str, str, str]]:
    """(id, prompt, answer, expert trace) of each problem that `source` describes; the same for the same source."""
    if source.task == "facts":
        rows = facts(source.seed)[: source.problems]
        return [(f"fact-{i}", prompt, answer, ANSWER + answer) for i, (prompt, answer) in enumerate(rows)]
    return [_chain_problem(source, index) for index in range(source.problems)]


def _chain_problem(source: SmallWorldData, index: int) -> tuple[str, str, str, str]:
    rng = random.Random(f"chain-{source.seed}-{index}")
    chain = make_chain(rng, rng.randint(source.min_ops, source.max_ops))
    return f"chain-{source.seed}-{index}", chain.prompt, chain.answer, trace(chain, rng, source.leap_probability)


def _apply(value: int, operator: str, operand: int) -> int:
    results = {"+": value + operand, "-": value - operand, "*": value * operand}
    return results[operator] % 10


def _leaps(rng: random.Random, probability: float, room: int) -> int:
    """How many labels the expert skips here: each further one with `probability`, as long as one is left to land on."""
    leaps = 0
    while leaps < min(MAX_LEAPS, room) and rng.random() < probability:
        leaps += 1
    return leaps
