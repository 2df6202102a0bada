"""The contract of an engine, shown on the reference one."""

import random

import pytest
import torch

from trapo_core import arithmetic
from trapo_core.engine import GenerateEngine, SampleRequest, complete
from trapo_core.engine.generate import draw_tokens, uniform_draws
from trapo_core.errors import NonFiniteError
from trapo_core.model import Policy


def requests(policy: Policy, count: int = 12, temperature: float = 1.0, tokens: int = 16) -> list[SampleRequest]:
    rng = random.Random(3)
    chains = [arithmetic.make_chain(rng, rng.randint(1, 5)) for _ in range(count)]
    prompts = [tuple(policy.encode(chain.prompt)) for chain in chains]
    return [SampleRequest(prompt, seed, tokens, temperature) for seed, prompt in enumerate(prompts)]


def test_greedy_equals_transformers_generate(policy: Policy) -> None:
    asked = requests(policy, temperature=0.0)
    for request, completion in zip(asked, complete(GenerateEngine(policy), asked), strict=True):
        ids = torch.tensor([request.ids])
        reference = policy.model.generate(
            ids, attention_mask=torch.ones_like(ids), max_new_tokens=16, do_sample=False, pad_token_id=policy.pad_id
        )
        assert completion.ids == reference[0, len(request.ids) :].tolist()


def test_sampler_logps_are_the_trainers(policy: Policy) -> None:
    asked = requests(policy, temperature=0.7)
    for request, completion in zip(asked, complete(GenerateEngine(policy), asked), strict=True):
        ids = torch.tensor([[*request.ids, *completion.ids]])
        logits = policy.model(input_ids=ids).logits[0, len(request.ids) - 1 : -1]
        expected = (logits / 0.7).log_softmax(dim=-1)[range(len(completion.ids)), completion.ids]
        torch.testing.assert_close(torch.tensor(completion.logps), expected, atol=1e-5, rtol=0)


def test_a_sample_does_not_depend_on_its_company(policy: Policy) -> None:
    asked = requests(policy)
    together = complete(GenerateEngine(policy), asked)
    alone = [complete(GenerateEngine(policy), [request])[0] for request in asked]
    reversed_ = complete(GenerateEngine(policy, batch_size=5), asked[::-1])[::-1]
    assert [done.ids for done in together] == [done.ids for done in alone] == [done.ids for done in reversed_]


def test_two_seeds_give_two_samples_and_one_seed_one(random_policy: Policy) -> None:
    prompt = tuple(random_policy.encode("^a1b+2?"))
    first, again, other = complete(
        GenerateEngine(random_policy),
        [SampleRequest(prompt, 1, 20), SampleRequest(prompt, 1, 20), SampleRequest(prompt, 2, 20)],
    )
    assert first.ids == again.ids != other.ids


def test_a_completion_ends_at_a_stop_token_or_at_its_budget(policy: Policy) -> None:
    completions = complete(GenerateEngine(policy), [*requests(policy, 20), *requests(policy, 4, tokens=2)])
    assert {done.finish for done in completions} == {"stop", "length"}
    for done in completions:
        assert (done.ids[-1] == policy.eos_id) == (done.finish == "stop")
        assert policy.eos_id not in done.ids[:-1]
        assert len(done.ids) == len(done.logps)
    assert max(len(done.ids) for done in completions[20:]) <= 2


def test_a_weight_change_is_seen_at_once(policy: Policy) -> None:
    engine, asked = GenerateEngine(policy), requests(policy)
    before = complete(engine, asked)
    with torch.no_grad():
        for parameter in policy.model.parameters():
            parameter.mul_(0.5)
    engine.weights_changed()
    after = complete(engine, asked)
    fresh = complete(GenerateEngine(policy), asked)
    assert after == fresh
    assert after != before


def test_draws_follow_the_softmax() -> None:
    logits = torch.tensor([0.0, 1.0, -1.0, 0.5])
    count = 20_000
    draws = torch.tensor([next(uniform_draws(seed)) for seed in range(count)], dtype=torch.float64)
    tokens, logps = draw_tokens(logits.expand(count, 4), torch.full((count,), 2.0), draws)
    shares = torch.bincount(tokens, minlength=4) / count
    expected = (logits / 2).softmax(0)
    # Five standard errors of a share.
    assert ((shares - expected).abs() < 5 * (expected * (1 - expected) / count).sqrt()).all()
    torch.testing.assert_close(logps, expected.log()[tokens])


def test_a_token_without_probability_is_never_drawn() -> None:
    logits = torch.tensor([[-1e30, 0.0, -1e30]])
    for draw in (0.0, 0.5, 1 - 1e-16):
        token, _ = draw_tokens(logits, torch.ones(1), torch.tensor([draw], dtype=torch.float64))
        assert token.item() == 1


def test_logits_that_are_not_finite_are_refused(policy: Policy) -> None:
    with torch.no_grad():
        policy.model.get_input_embeddings().weight.fill_(float("nan"))
    with pytest.raises(NonFiniteError, match="not finite"):
        complete(GenerateEngine(policy), requests(policy, 2))
