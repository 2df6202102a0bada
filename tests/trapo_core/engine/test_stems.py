"""What samples of one problem share is computed once: counted in tokens, whoever comes first and in whatever steps."""

from collections.abc import Sequence

import torch

from trapo_core.engine import BatchingEngine, Completion, GenerateEngine, SampleRequest, complete
from trapo_core.model import Policy

PROMPT = tuple(range(5, 45))
TRACE = tuple(7 * place % 60 + 3 for place in range(60))
OTHER_TRACE = (*TRACE[:20], *(11 * place % 60 + 3 for place in range(40)))


def wants(ids: Sequence[int], count: int = 1, tokens: int = 4, seed: int = 0) -> list[SampleRequest]:
    return [SampleRequest(tuple(ids), seed + i, tokens, family="problem") for i in range(count)]


def prefix(ratio: float, trace: tuple[int, ...] = TRACE) -> tuple[int, ...]:
    return (*PROMPT, *trace[: int(len(trace) * ratio)])


def computed(engine: BatchingEngine, asked: list[SampleRequest]) -> int:
    """Prompt tokens that were computed for these; they come out as without any sharing."""
    before = engine.work.prefill_tokens
    got = complete(engine, asked)
    same(got, complete(GenerateEngine(engine._policy), asked))
    return engine.work.prefill_tokens - before


def same(got: list[Completion], expected: list[Completion]) -> None:
    assert [done.ids for done in got] == [done.ids for done in expected]
    for one, other in zip(got, expected, strict=True):
        torch.testing.assert_close(torch.tensor(one.logps), torch.tensor(other.logps), atol=1e-5, rtol=0)


def test_a_prompt_shared_by_eight_samples_is_computed_once(random_policy: Policy) -> None:
    assert computed(BatchingEngine(random_policy), wants(PROMPT, 8)) == len(PROMPT)


def test_it_is_computed_once_for_samples_that_must_wait_for_a_row(random_policy: Policy) -> None:
    assert computed(BatchingEngine(random_policy, 2), wants(PROMPT, 8)) == len(PROMPT)


def test_of_a_longer_prefix_only_the_rest_is_computed(random_policy: Policy) -> None:
    engine = BatchingEngine(random_policy)
    assert computed(engine, wants(PROMPT, 4)) == 40
    # The state after the last prompt token is known, that after each token within it is not.
    assert computed(engine, wants(prefix(0.2), 2)) == 12
    assert computed(engine, wants(prefix(0.5))) == 18
    assert computed(engine, [*wants(prefix(0.5), 3), *wants(prefix(0.2), 3), *wants(PROMPT, 3)]) == 0


def test_nested_prefixes_in_one_step_cost_their_longest(random_policy: Policy) -> None:
    asked = [*wants(PROMPT, 4), *wants(prefix(0.2), 2), *wants(prefix(0.5)), *wants(prefix(0.9))]
    assert computed(BatchingEngine(random_policy), asked) == 40 + 54
    assert computed(BatchingEngine(random_policy, 3), asked[::-1]) <= 1.1 * (40 + 54)


def test_of_a_second_trace_only_what_differs_is_computed(random_policy: Policy) -> None:
    engine = BatchingEngine(random_policy)
    assert computed(engine, wants(prefix(1.0))) == 100
    assert computed(engine, wants(prefix(1.0, OTHER_TRACE))) == 40
    assert computed(engine, wants(prefix(1.0, OTHER_TRACE), 2) + wants(prefix(1.0), 2)) == 0


def test_a_group_of_two_traces_costs_little_more_than_its_unique_tokens(random_policy: Policy) -> None:
    """Both traces at once, at several ratios."""
    asked = [r for ratio in (0.0, 0.2, 0.5, 1.0) for t in (TRACE, OTHER_TRACE) for r in wants(prefix(ratio, t), 2)]
    unique = len(PROMPT) + len(TRACE) + len(OTHER_TRACE) - 20
    assert computed(BatchingEngine(random_policy), asked) <= 1.1 * unique
    assert computed(BatchingEngine(random_policy, 3), asked) <= 1.1 * unique


def test_a_beginning_that_comes_later_costs_one_token(random_policy: Policy) -> None:
    engine = BatchingEngine(random_policy)
    computed(engine, wants(prefix(0.5)))
    # Its keys and values are there; the hidden state after its last token has to be computed again.
    assert computed(engine, wants(prefix(0.2))) == 1


def test_families_do_not_share(random_policy: Policy) -> None:
    engine = BatchingEngine(random_policy)
    asked = [SampleRequest(PROMPT, seed, 4, family=seed % 2) for seed in range(6)]
    assert computed(engine, asked) == 2 * len(PROMPT)


def test_after_a_weight_change_all_is_computed_again(random_policy: Policy) -> None:
    engine = BatchingEngine(random_policy)
    computed(engine, wants(prefix(0.5), 2))
    with torch.no_grad():
        for parameter in random_policy.model.parameters():
            parameter.mul_(0.7)
    engine.weights_changed()
    assert computed(engine, wants(prefix(0.5), 2)) == 70
