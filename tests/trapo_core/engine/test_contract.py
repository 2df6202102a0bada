"""What every engine promises (protocol.py), asked of all of them alike."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import pytest
import torch

from trapo_core.attention import Segments, packed_hidden
from trapo_core.engine import Completion, Engine, GenerateEngine, Key, SampleRequest, complete
from trapo_core.errors import NonFiniteError
from trapo_core.lm_head import token_logps
from trapo_core.model import Policy

from .conftest import WINDOW, MakeEngine, world_requests


def ended(engine: Engine, keys: Iterable[Key]) -> dict[Key, Completion]:
    """Step until all of `keys` have come; nothing else may be left then."""
    left, done = set(keys), {}
    while left:
        arrived = dict(engine.step())
        left -= set(arrived)
        done |= arrived
    assert [engine.step() for _ in range(3)] == [[], [], []]
    return done


def trainer_logps(policy: Policy, request: SampleRequest, completion: Completion) -> torch.Tensor:
    """Log-probs of a completion as the trainer reads them, from a packed stream."""
    ids = torch.tensor([*request.ids, *completion.ids])
    places = torch.arange(len(request.ids) - 1, len(ids) - 1)
    temperature = torch.full((len(places),), request.temperature or 1.0)
    with torch.no_grad():
        hidden_N_D = packed_hidden(policy.model, ids, Segments.of([len(ids)]))
        head = policy.model.get_output_embeddings()
        logp_N, _ = token_logps(hidden_N_D[places], head.weight, ids[places + 1], temperature, bias_V=head.bias)
    return logp_N


def agree(policy: Policy, asked: Sequence[SampleRequest], got: Sequence[Completion]) -> None:
    for request, completion in zip(asked, got, strict=True):
        expected = trainer_logps(policy, request, completion)
        torch.testing.assert_close(torch.tensor(completion.logps), expected, atol=1e-5, rtol=0)


def greedy_reference(policy: Policy, request: SampleRequest) -> list[int]:
    ids = torch.tensor([request.ids])
    found = policy.model.generate(
        ids, attention_mask=torch.ones_like(ids), max_new_tokens=request.max_new_tokens, do_sample=False,
        pad_token_id=policy.pad_id, eos_token_id=sorted(policy.stop_ids),
    )  # fmt: skip
    return found[0, len(request.ids) :].tolist()


def shake(policy: Policy) -> None:
    """A weight change as large as many optimizer steps."""
    with torch.no_grad():
        for parameter in policy.model.parameters():
            parameter.mul_(0.5)


# ------------------------------------------------------------------------------------------------------ what is sampled


def test_greedy_equals_transformers_generate(policy: Policy, make: MakeEngine) -> None:
    policy = replace(policy, stop_ids=frozenset({policy.eos_id, *range(10, 20)}))
    asked = [*world_requests(policy, temperature=0.0), *world_requests(policy, 3, temperature=0.0, tokens=1)]
    got = complete(make(policy), asked)
    assert [done.ids for done in got] == [greedy_reference(policy, request) for request in asked]
    assert {done.finish for done in got} == {"stop", "length"}


@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_sampler_logps_are_the_trainers(policy: Policy, make: MakeEngine, temperature: float) -> None:
    asked = world_requests(policy, temperature=temperature)
    agree(policy, asked, complete(make(policy), asked))


def test_temperatures_may_be_mixed_in_a_batch(policy: Policy, make: MakeEngine) -> None:
    asked = [replace(r, temperature=(0.0, 0.7, 1.0, 1.5)[i % 4]) for i, r in enumerate(world_requests(policy))]
    got = complete(make(policy), asked)
    agree(policy, asked, got)
    assert [done.ids for done in got[::4]] == [greedy_reference(policy, request) for request in asked[::4]]


def test_other_structures_of_model_agree_with_the_library_and_the_trainer(
    other_policy: Policy, make: MakeEngine
) -> None:
    """Grouped queries, Llama with one key head and a head of its own, a window shorter than the prompts."""
    greedy = world_requests(other_policy, 6, temperature=0.0, tokens=24)
    assert min(len(request.ids) for request in greedy) > WINDOW
    engine = make(other_policy)
    got = complete(engine, greedy)
    assert [done.ids for done in got] == [greedy_reference(other_policy, request) for request in greedy]
    drawn = world_requests(other_policy, 6, tokens=24)
    # A prompt that goes on from a shared one.
    drawn += [replace(r, ids=(*r.ids, *r.ids[2:5]), seed=r.seed + 100) for r in drawn]
    agree(other_policy, drawn, complete(engine, drawn))


# ------------------------------------------------------------------------------------------------- seeds and company


def test_a_sample_is_the_same_alone_and_among_thirty(policy: Policy, make: MakeEngine) -> None:
    asked = world_requests(policy, 31)
    together = [done.ids for done in complete(make(policy), asked)]
    alone = make(policy)
    assert [complete(alone, [request])[0].ids for request in asked[::5]] == together[::5]
    small = make(policy, 4)
    assert [done.ids for done in complete(small, asked[::-1])][::-1] == together
    agree(policy, asked[:3], complete(small, asked[:3]))


def test_a_family_changes_the_work_and_no_sample(policy: Policy, make: MakeEngine) -> None:
    prompt = tuple(policy.encode("^a1b+2?c*3"))
    asked = [SampleRequest((*prompt, *prompt[:extra]), extra, 12, family="one") for extra in range(8)]
    shared = complete(make(policy), asked)
    unshared = complete(make(policy), [replace(request, family=None) for request in asked])
    assert [done.ids for done in shared] == [done.ids for done in unshared]
    for one, other in zip(shared, unshared, strict=True):
        torch.testing.assert_close(torch.tensor(one.logps), torch.tensor(other.logps), atol=1e-5, rtol=0)


def test_one_seed_gives_one_sample_and_two_seeds_two(policy: Policy, make: MakeEngine) -> None:
    prompt = tuple(policy.encode("^a1b+2?"))
    first, again, other = complete(make(policy), [SampleRequest(prompt, seed, 20) for seed in (1, 1, 2)])
    assert first.ids == again.ids != other.ids


# ------------------------------------------------------------------------------------------------------------ the end


def test_a_completion_ends_at_any_stop_token_or_at_its_length(policy: Policy, make: MakeEngine) -> None:
    stops = frozenset({policy.eos_id, *range(10, 20)})
    policy = replace(policy, stop_ids=stops)
    got = complete(make(policy), world_requests(policy, 30, tokens=8))
    assert {done.finish for done in got} == {"stop", "length"}
    assert len({done.ids[-1] for done in got if done.finish == "stop"}) > 3
    for done in got:
        assert (done.ids[-1] in stops) == (done.finish == "stop")
        assert not stops & set(done.ids[:-1])
        assert len(done.ids) == len(done.logps) <= 8
        assert done.finish == "stop" or len(done.ids) == 8


def test_one_token_is_drawn_where_one_is_allowed(policy: Policy, make: MakeEngine) -> None:
    asked = world_requests(policy, 5, tokens=1)
    long = [replace(request, max_new_tokens=4) for request in asked]
    engine = make(policy, 2)
    one, four = complete(engine, asked), complete(engine, long)
    assert [done.ids for done in one] == [done.ids[:1] for done in four]
    assert {len(done.ids) for done in one} == {1}


def test_a_sample_may_fill_the_context(policy: Policy, make: MakeEngine) -> None:
    policy = replace(policy, stop_ids=frozenset())
    prompt = tuple(policy.encode("^a1b+2?" * 20))
    request = SampleRequest(prompt, 1, policy.context - len(prompt))
    [done] = complete(make(policy), [request])
    assert (len(prompt) + len(done.ids), done.finish) == (policy.context, "length")
    agree(policy, [request], [done])


def test_nothing_wanted_is_nothing_done(policy: Policy, make: MakeEngine) -> None:
    engine = make(policy)
    assert engine.step() == []
    assert engine.work.decode_passes == engine.work.prefill_tokens == 0


# ------------------------------------------------------------------------------------------- cancelled, and giving way


def test_a_cancelled_sample_never_comes_and_the_others_do_not_notice(policy: Policy, make: MakeEngine) -> None:
    policy = replace(policy, stop_ids=frozenset())
    # Of different lengths, so that some are running and some are waiting when others have come.
    asked = [replace(request, max_new_tokens=4 + 3 * i) for i, request in enumerate(world_requests(policy, 8))]
    expected = {(i,): done.ids for i, done in enumerate(complete(make(policy), asked))}
    engine = make(policy, 3)
    for index, request in enumerate(asked):
        engine.submit((index,), request)
    done = dict(engine.step())
    wanted = set(expected) - set(done)
    gone = {key for key in sorted(wanted) if key[0] % 2}
    for key in gone:
        engine.cancel(key)
    engine.cancel((99,))  # unknown, or already there: nothing happens
    done |= ended(engine, set(expected) - gone - set(done))
    assert set(done) == set(expected) - gone
    assert {key: completion.ids for key, completion in done.items()} == {key: expected[key] for key in done}
    # Nothing is left of them: their places, and their keys, are free again.
    for key in gone:
        engine.submit(key, asked[key[0]])
    assert {key: done.ids for key, done in ended(engine, gone).items()} == {key: expected[key] for key in gone}


def test_speculative_requests_give_way_and_still_give_the_same_tokens(policy: Policy, make: MakeEngine) -> None:
    policy = replace(policy, stop_ids=frozenset())
    asked = world_requests(policy, 6, tokens=24)
    expected = [done.ids for done in complete(make(policy), asked)]
    engine = make(policy, 2)
    for index in (0, 1, 2, 3):
        engine.submit((index,), replace(asked[index], speculative=True))
    done = dict(engine.step())  # two of them are running now, or have come
    for index in (4, 5):
        engine.submit((index,), asked[index])
    engine.confirm((3,))
    done |= ended(engine, {(index,) for index in range(6)} - set(done))
    assert [done[index,].ids for index in range(6)] == expected


def test_certain_requests_come_before_speculative_ones(policy: Policy, make: MakeEngine) -> None:
    policy = replace(policy, stop_ids=frozenset())
    asked = world_requests(policy, 4, tokens=8)
    engine = make(policy, 1)
    for index in range(4):
        engine.submit((index,), replace(asked[index], speculative=index < 2))
    engine.confirm((1,))
    assert list(ended(engine, [(index,) for index in range(4)])) == [(1,), (2,), (3,), (0,)]


# ------------------------------------------------------------------------------------------------------ the weights


def test_after_a_weight_change_an_engine_is_as_a_fresh_one(policy: Policy, make: MakeEngine) -> None:
    asked = world_requests(policy)
    asked += [replace(request, ids=(*request.ids, *request.ids[1:4])) for request in asked]  # nested prefixes
    engine = make(policy)
    before = complete(engine, asked)
    for _ in range(2):
        shake(policy)
        engine.weights_changed()
        after, fresh = complete(engine, asked), complete(make(policy), asked)
        assert after == fresh != before
        agree(policy, asked, after)
        before = after


def test_a_small_weight_change_is_seen_too(policy: Policy, make: MakeEngine) -> None:
    """As small as an optimizer step: only log-probs tell."""
    engine, asked = make(policy), world_requests(policy, 4)
    before = complete(engine, asked)
    with torch.no_grad():
        for parameter in policy.model.parameters():
            parameter.add_(1e-5 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1)))
    engine.weights_changed()
    after = complete(engine, asked)
    assert after == complete(make(policy), asked)
    assert [done.logps for done in after] != [done.logps for done in before]


def test_families_of_one_name_in_two_steps_do_not_mix(policy: Policy, make: MakeEngine) -> None:
    """A family is named by its place in the step; the next step's is another problem."""
    engine = make(policy)
    for text in ("^a1b+2?", "^a1c*3?", "^z9?"):
        asked = [SampleRequest(tuple(policy.encode(text)), seed, 8, family=0) for seed in range(3)]
        engine.weights_changed()
        agree(policy, asked, complete(engine, asked))
    # And even without a change of weights between them.
    other = [SampleRequest(tuple(policy.encode("^q5w?")), seed, 8, family=0) for seed in range(3)]
    agree(policy, other, complete(engine, other))


def test_logits_that_are_not_finite_are_refused_and_the_engine_lives_on(policy: Policy, make: MakeEngine) -> None:
    engine, asked = make(policy), world_requests(policy, 4)
    longer = [replace(request, ids=request.ids * 2) for request in asked]
    good = complete(engine, asked)
    weight = policy.model.get_input_embeddings().weight
    kept = weight.detach().clone()
    with torch.no_grad():
        weight.fill_(float("nan"))
    engine.weights_changed()
    for index, request in enumerate(longer):  # so that the next samples do not write over all that these have left
        engine.submit((index,), request)
    with pytest.raises(NonFiniteError, match="not finite"):
        engine.step()
    assert engine.step() == []  # all is forgotten
    with torch.no_grad():
        weight.copy_(kept)
    engine.weights_changed()
    assert complete(engine, asked) == good


def test_weights_may_not_change_under_running_samples(policy: Policy, make: MakeEngine) -> None:
    engine = make(policy)
    if isinstance(engine, GenerateEngine):
        return  # between its steps nothing is running
    engine.submit((0,), world_requests(policy, 1)[0])
    with pytest.raises(AssertionError, match="under running samples"):
        engine.weights_changed()
