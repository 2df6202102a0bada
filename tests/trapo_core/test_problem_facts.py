"""What a step says of its problems and of the expert's tokens, counted by hand."""

import math

import pytest
import torch

from trapo_core.data import Problem
from trapo_core.expert_bins import P_BINS, first_place, p_edges
from trapo_core.group import Group
from trapo_core.knobs import Guidance, Slot
from trapo_core.metrics import TokenFacts, slot_outcomes, token_metrics
from trapo_core.problem_facts import SHOWN_CHARACTERS, ProblemFacts, expert_tokens

from .test_metrics import GROUPS, GUIDANCE, PROBLEM, rollout


def test_outcomes_of_problems_add_up_to_the_slots() -> None:
    told = ProblemFacts([Problem("p", "What?", "1")]).of(GROUPS, GUIDANCE)
    assert (told.samples, told.ids) == ([2, 1], ["p", "p"])
    assert told.ratios == [[0.0, 0.5], [0.0, 0.0]]
    assert told.rewards == [[1, 1], [2, 1]]
    for slot in slot_outcomes(GROUPS, GUIDANCE):
        given = [ratios[slot.slot] > 0 for ratios in told.ratios]
        rewards = [by_slot[slot.slot] for by_slot in told.rewards]
        assert told.samples[slot.slot] * sum(given) == slot.guided
        assert sum(r for r, guided in zip(rewards, given, strict=True) if guided) == slot.guided_reward
        assert sum(r for r, guided in zip(rewards, given, strict=True) if not guided) == slot.unguided_reward


def test_a_problem_says_how_it_begins_the_first_time_only() -> None:
    facts = ProblemFacts([Problem("p", " a\0b\ud800" + "x" * 500, "1"), Problem("other", "", "1")])
    first, second = facts.of(GROUPS, GUIDANCE), facts.of(GROUPS, GUIDANCE)
    assert list(first.texts) == ["p"]
    assert first.texts["p"].startswith("ab?x")
    assert len(first.texts["p"]) == SHOWN_CHARACTERS
    assert first.model_dump_json()
    assert second.texts == {}


def test_a_slot_that_drew_no_sample_was_given_nothing() -> None:
    guidance = Guidance(slots=(Slot(n=1), Slot(n=1, when="always", ratio=0.5)))
    told = ProblemFacts([]).of([Group(PROBLEM, [rollout(0, 1)])], guidance)
    assert (told.ratios, told.rewards) == ([[0.0, 0.0]], [[1, 0]])


def facts(p: list[float], sequence: list[int], own: list[bool]) -> TokenFacts:
    logp = torch.tensor(p).log()
    zeros = torch.zeros(len(p))
    return TokenFacts(torch.tensor(sequence), logp, zeros, zeros, torch.tensor(own))


def test_expert_tokens_are_counted_by_place_and_probability() -> None:
    # Two sequences, interleaved as in a packed batch; the model's own tokens count nowhere.
    p = [0.101, 1.0, 0.05, 1e-9, 0.5, 0.2, 0.9]
    told = facts(p, [0, 1, 0, 1, 0, 1, 1], [False, False, False, False, True, False, True])
    found = expert_tokens(told, 0.1)
    assert found is not None
    assert [sum(row) for row in found.counts] == [2, 3]  # places 1; 2 and 3
    assert found.inside == [2, 1]
    assert found.counts[0][-1] == 1
    assert found.counts[0][P_BINS - 4] == 1, "the region begins at an edge"
    assert p_edges()[P_BINS - 4] == pytest.approx(0.1)
    assert (found.counts[1][0], p_edges()[-1]) == (1, 1.0)
    share = sum(found.inside) / sum(map(sum, found.counts))
    assert share == pytest.approx(token_metrics(told, 0.1)["expert/inside_trust_region"])
    assert [first_place(row) for row in range(4)] == [1, 2, 4, 8]


def test_no_expert_token_no_counts_and_no_number_breaks_it() -> None:
    assert expert_tokens(facts([0.5], [0], [True]), 0.1) is None
    broken = facts([0.5, 0.5], [0, 0], [False, False])
    broken.logp_M[:] = torch.tensor([math.nan, -math.inf])
    found = expert_tokens(broken, 0.1)
    assert found is not None
    assert (found.counts[0][0], found.counts[1][0], found.inside) == (1, 1, [0, 0])
