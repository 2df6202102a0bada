"""The small world: chains re-computed here from their prompts, traces read back, the expert's leaps counted."""

import os
import random
import re
import subprocess
import sys
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trapo_core.answers import check_small_world
from trapo_core.arithmetic import (
    FACT_SHARE,
    KEYS,
    LABELS,
    MAX_LEAPS,
    VOCABULARY,
    direct,
    facts,
    make_chain,
    make_problems,
    trace,
)
from trapo_core.sources import SmallWorldData

STEP = re.compile(r"([a-x])([-+*])(\d)")
WRITTEN = re.compile(r"([a-x])(?:([-+*])(\d))?(\d)")  # a worked step, or a leap's label and value
chains = st.builds(make_chain, st.integers(0, 2**32).map(random.Random), st.integers(1, 16))


def values(prompt: str) -> dict[str, int]:
    """Every variable's value modulo 10, from the prompt alone, in order."""
    assert prompt[0] == "^"
    assert prompt[-1] == "?"
    label, value, steps = prompt[1], int(prompt[2]), prompt[3:-1]
    found = {label: value}
    for label, operator, operand in STEP.findall(steps):
        value = {"+": value + int(operand), "-": value - int(operand), "*": value * int(operand)}[operator] % 10
        found[label] = value
    assert len(steps) == 3 * (len(found) - 1)  # labels are distinct and nothing was left over
    return found


def leaps(prompt: str, written: str) -> Iterator[int]:
    """How many labels each written step skips; checks every value on the way."""
    expected = values(prompt)
    labels = list(expected)
    assert written.startswith(prompt[1:3])
    body, _, answer = written[2:].partition("#")
    assert answer == str(expected[labels[-1]])
    assert "".join(match.group(0) for match in WRITTEN.finditer(body)) == body
    position = 0
    for label, operator, operand, value in WRITTEN.findall(body):
        skipped = labels.index(label) - position - 1
        assert int(value) == expected[label]
        assert bool(operator) == (skipped == 0)  # a leap is written without its operation
        assert not operator or f"{label}{operator}{operand}" in prompt
        position = labels.index(label)
        yield skipped
    assert position == len(labels) - 1


@given(chains)
def test_a_plain_trace_works_out_every_step(chain) -> None:  # type: ignore[no-untyped-def]
    written = trace(chain)
    assert set(leaps(chain.prompt, written)) == {0}
    assert len(written) == 4 * len(chain.ops) + 4
    assert trace(chain, random.Random(0), 0.0) == written
    assert direct(chain) == written[-2:]


@given(chains, st.integers(0, 2**32), st.floats(0.0, 1.0))
def test_an_experts_trace_is_right_whatever_it_leaps(chain, seed: int, probability: float) -> None:  # type: ignore[no-untyped-def]
    written = trace(chain, random.Random(seed), probability)
    assert set(leaps(chain.prompt, written)) <= set(range(MAX_LEAPS + 1))
    assert check_small_world(chain.answer, f"{written}$").outcome == "right"


def test_an_expert_that_always_leaps_skips_two_labels_whenever_it_can() -> None:
    chain = make_chain(random.Random(3), 8)
    assert list(leaps(chain.prompt, trace(chain, random.Random(0), 1.0))) == [2, 2, 1]


def test_the_expert_leaps_with_its_probability_wherever_it_can() -> None:
    probability, could, did, could_further, did_further, lengths = 0.08, 0, 0, 0, 0, []
    for _, prompt, _, written in make_problems(SmallWorldData(problems=2000, leap_probability=probability)):
        left = len(values(prompt)) - 1
        lengths.append(len(written) + 1)
        for skipped in leaps(prompt, written):
            could += left > 1
            did += skipped > 0
            could_further += skipped > 0 and left > 2
            did_further += skipped > 1
            left -= skipped + 1
    assert did / could == pytest.approx(probability, abs=4 * (probability * 0.92 / could) ** 0.5)
    assert did_further / could_further == pytest.approx(
        probability, abs=4 * (probability * 0.92 / could_further) ** 0.5
    )
    assert max(lengths) == 37  # with its end: 4n + 5 tokens, n = 8
    assert sum(lengths) / len(lengths) == pytest.approx(26.8, abs=0.5)  # as the study of this world found


@pytest.mark.parametrize("source", [SmallWorldData(problems=300), SmallWorldData(task="facts", seed=2)])
def test_every_problem_has_a_right_trace_written_in_the_vocabulary(source: SmallWorldData) -> None:
    problems = make_problems(source)
    assert len({id_ for id_, *_ in problems}) == len(problems)
    for _, prompt, answer, written in problems:
        assert check_small_world(answer, f"{written}$").value == 1.0
        assert check_small_world(str((int(answer) + 1) % 10), f"{written}$").value == 0.0
        assert set(prompt + written + "$") <= set(VOCABULARY)


def test_chains_have_the_asked_lengths_and_all_of_them() -> None:
    problems = make_problems(SmallWorldData(problems=300, min_ops=2, max_ops=5))
    assert {len(values(prompt)) - 1 for _, prompt, _, _ in problems} == {2, 3, 4, 5}


def test_the_longest_chain_of_a_spec_has_enough_labels() -> None:
    [(_, prompt, _, _)] = make_problems(SmallWorldData(problems=1, min_ops=16, max_ops=16))
    assert len(values(prompt)) == 17
    assert len(LABELS) >= 17


def test_no_factor_loses_what_came_before_it() -> None:
    problems = make_problems(SmallWorldData(problems=500))
    factors = {operand for _, prompt, _, _ in problems for _, op, operand in STEP.findall(prompt) if op == "*"}
    assert factors == set("12346789")


def test_answers_cannot_be_guessed_from_their_frequency() -> None:
    answers = [answer for _, _, answer, _ in make_problems(SmallWorldData(problems=2000))]
    assert max(map(answers.count, "0123456789")) < 0.2 * len(answers)


def test_problems_depend_on_their_seed_and_place_alone() -> None:
    few, many = make_problems(SmallWorldData(problems=3)), make_problems(SmallWorldData(problems=30))
    assert many[:3] == few
    assert make_problems(SmallWorldData(problems=3)) == few
    assert make_problems(SmallWorldData(problems=3, seed=1))[0][1:] != few[0][1:]


def test_problems_are_the_same_in_another_process() -> None:
    code = "from trapo_core.arithmetic import *; print(make_problems(SmallWorldData(problems=5)), facts(1))"
    environment = os.environ | {"PYTHONHASHSEED": "77"}
    other = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert other.stdout.strip() == f"{make_problems(SmallWorldData(problems=5))} {facts(1)}"


@pytest.mark.parametrize("seed", range(4))
def test_facts_are_about_a_quarter_of_the_ordered_pairs(seed: int) -> None:
    pairs = len(KEYS) * (len(KEYS) - 1)
    known = facts(seed)
    assert len({prompt for prompt, _ in known}) == len(known)
    assert len(known) / pairs == pytest.approx(FACT_SHARE, abs=4 * (0.25 * 0.75 / pairs) ** 0.5)
    assert all(re.fullmatch(r"\^R([A-U])(?!\1)[A-U]\?", prompt) and answer in "0123456789" for prompt, answer in known)
    assert known == facts(seed) != facts(seed + 1)


def test_a_limit_takes_the_first_facts() -> None:
    every = make_problems(SmallWorldData(task="facts"))
    assert make_problems(SmallWorldData(task="facts", problems=5)) == every[:5]
    assert len(every) == len(facts(0))


def test_each_token_is_one_character_and_listed_once() -> None:
    assert len(set(VOCABULARY)) == len(VOCABULARY)
    assert all(len(token) == 1 for token in VOCABULARY)
