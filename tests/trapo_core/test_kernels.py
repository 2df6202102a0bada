"""Expert kernels against autograd of closed forms, and the TrSFT optimum against KKT and against minimisation."""

import math
import random
from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from trapo_core.kernels import KERNELS, expert_loss, expert_weight, trsft_loss, trsft_optimum

ALPHA = 0.1
PROBABILITIES = (0.0, 1e-300, 1e-30, 1e-6, 1e-3, 0.05, 0.09, 0.1, 0.1000001, 0.2, 0.5, 0.9, 1.0)
ALPHAS = (1e-300, 1e-6, 0.01, 0.1, 0.5, 1.0)

# Losses as functions of p whose derivative by log p is -k(p), p held in nothing: what each paper writes down.
CLOSED_FORMS: dict[str, Callable[[Tensor], Tensor]] = {
    "nll": lambda p: -p.log(),
    "trsft": lambda p: torch.where(p >= ALPHA, -p.log(), -p / ALPHA + 1 - math.log(ALPHA)),
    "dft": lambda p: 1 - p,
    "phi": lambda p: -p + p**2 / 2,
    "shaped": lambda p: -p / (p + 0.1),
}


def log(p: float, dtype: torch.dtype = torch.float64) -> Tensor:
    """log p with a gradient; -inf at p = 0."""
    value = math.log(p) if p > 0 else -math.inf
    return torch.tensor(value, dtype=dtype, requires_grad=True)


def slope(loss: Tensor, by: Tensor) -> float:
    return float(torch.autograd.grad(loss, by)[0])


# ------------------------------------------------------------------------------------------------------- TrSFT's loss


@pytest.mark.parametrize(
    ("p", "loss", "by_logp", "by_p", "nll"),
    [  # ALGORITHMS 7, V1
        (1.0, 0.0, -1.0, -1.0, 0.0),
        (0.5, 0.69314718, -1.0, -2.0, 0.69314718),
        (0.2, 1.60943791, -1.0, -5.0, 1.60943791),
        (0.1, 2.30258509, -1.0, -10.0, 2.30258509),
        (0.09, 2.40258509, -0.9, -10.0, 2.40794561),
        (0.05, 2.80258509, -0.5, -10.0, 2.99573227),
        (0.01, 3.20258509, -0.1, -10.0, 4.60517019),
        (0.001, 3.29258509, -0.01, -10.0, 6.90775528),
        (1e-6, 3.30257509, -1e-5, -10.0, 13.81551056),
    ],
)
def test_trsft_loss_gives_the_documented_values_and_slopes(
    p: float, loss: float, by_logp: float, by_p: float, nll: float
) -> None:
    logp = log(p)
    assert trsft_loss(logp, ALPHA).item() == pytest.approx(loss, abs=5e-9)
    assert slope(trsft_loss(logp, ALPHA), logp) == pytest.approx(by_logp, rel=1e-12)
    probability = torch.tensor(p, dtype=torch.float64, requires_grad=True)
    assert slope(trsft_loss(probability.log(), ALPHA), probability) == pytest.approx(by_p, rel=1e-12)
    assert trsft_loss(logp, 0.0).item() == pytest.approx(nll, abs=5e-9)
    official = -logp.exp() / logp.detach().exp().clamp(min=ALPHA)  # the released code's surrogate
    assert slope(official, logp) == pytest.approx(by_logp, rel=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("alpha", ALPHAS)
@pytest.mark.parametrize("p", PROBABILITIES)
def test_trsft_loss_has_slope_minus_p_over_alpha_and_never_below_minus_one(
    p: float, alpha: float, dtype: torch.dtype
) -> None:
    logp = log(p, dtype)
    loss = trsft_loss(logp, alpha)
    tolerance = 1e-12 if dtype == torch.float64 else 2e-5
    assert loss.dtype == dtype
    assert math.isfinite(loss.item())
    assert slope(loss, logp) == pytest.approx(-min(p / alpha, 1.0), rel=tolerance, abs=1e-30)
    expected = -math.log(p) if p >= alpha else -p / alpha + 1 - math.log(alpha)
    assert loss.item() == pytest.approx(expected, rel=tolerance, abs=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("alpha", [1e-30, 1e-6, 0.1, 0.3, 1.0])
def test_trsft_loss_meets_itself_at_p_equal_alpha(alpha: float, dtype: torch.dtype) -> None:
    at = torch.tensor(math.log(alpha), dtype=dtype)
    around = [
        torch.nextafter(at, torch.tensor(-math.inf, dtype=dtype)),
        at,
        torch.nextafter(at, torch.tensor(math.inf, dtype=dtype)),
    ]
    for logp in around:
        logp.requires_grad_()
        loss = trsft_loss(logp, alpha)
        assert loss.item() == pytest.approx(-math.log(alpha), rel=1e-6, abs=1e-6)
        assert slope(loss, logp) == pytest.approx(-1.0, rel=1e-5)


@given(st.floats(1e-9, 1.0), st.floats(1e-9, 1.0), st.floats(1e-6, 1.0))
def test_trsft_loss_falls_in_p_is_convex_and_below_nll(p: float, q: float, alpha: float) -> None:
    low, high = sorted((p, q))
    loss_low, loss_high, loss_between = trsft_loss([math.log(x) for x in (low, high, (low + high) / 2)], alpha).tolist()
    assert loss_high <= loss_low + 1e-12
    assert loss_between <= (loss_low + loss_high) / 2 + 1e-9
    assert 0 <= loss_low <= -math.log(low) + 1e-9


@given(st.floats(0.001, 1.0), st.floats(0.001, 1.0))
def test_trsft_goes_from_nll_at_alpha_0_to_one_minus_p_at_alpha_1(p: float, alpha: float) -> None:
    assert trsft_loss([math.log(p)], 0.0).item() == pytest.approx(-math.log(p))
    assert trsft_loss([math.log(p)], 1e-12).item() == pytest.approx(-math.log(p))
    assert trsft_loss([math.log(p)], 1.0).item() == pytest.approx(1 - p)
    between = expert_weight("trsft", [math.log(p)], alpha=alpha).item()
    assert p <= between + 1e-12  # never weaker than DFT, never stronger than NLL
    assert between <= 1.0


def test_an_impossible_token_pulls_with_nothing_and_poisons_nothing() -> None:
    logp = torch.tensor([-math.inf, -1.0], requires_grad=True)
    loss = trsft_loss(logp, ALPHA)
    assert loss[0].item() == pytest.approx(1 - math.log(ALPHA))
    assert torch.autograd.grad(loss.sum(), logp)[0].tolist() == [0.0, -1.0]
    assert trsft_loss([-math.inf], 0.0).item() == math.inf


@pytest.mark.parametrize("alpha", [-0.1, 1.1, math.nan])
def test_alpha_outside_its_range_is_refused(alpha: float) -> None:
    with pytest.raises(ValueError, match="alpha"):
        trsft_loss(torch.zeros(1), alpha)
    with pytest.raises(ValueError, match="alpha"):
        trsft_optimum([1.0], alpha)


def test_log_probs_may_be_lists_tuples_numbers_or_tensors_of_any_float() -> None:
    given_as = [[-3.0, -1.0], (-3.0, -1.0), torch.tensor([-3.0, -1.0]), torch.tensor([-3, -1])]
    expected = [-math.exp(-3) / ALPHA + 1 - math.log(ALPHA), 1.0]
    for logp in given_as:
        assert trsft_loss(logp, ALPHA).tolist() == pytest.approx(expected, rel=1e-6)
        assert expert_weight("trsft", logp, alpha=ALPHA).tolist() == pytest.approx([math.exp(-3) / ALPHA, 1.0])
    assert trsft_loss(-1.0, ALPHA).item() == pytest.approx(1.0)
    assert trsft_loss([-3.0], ALPHA).dtype == torch.float64
    half = torch.tensor([-3.0, -1.0], dtype=torch.bfloat16)
    assert trsft_loss(half, ALPHA).dtype == expert_weight("dft", half).dtype == torch.float32


# ------------------------------------------------------------------------------------------------------- all kernels


def test_every_kernel_is_tested_here() -> None:
    assert set(CLOSED_FORMS) == set(KERNELS)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("p", [1e-30, 1e-6, 0.01, 0.09, 0.1, 0.11, 0.5, 0.9, 1.0])
@pytest.mark.parametrize("kernel", CLOSED_FORMS)
def test_the_expert_loss_pulls_as_its_closed_form_does(kernel: str, p: float, dtype: torch.dtype) -> None:
    exact = log(p)
    expected = slope(CLOSED_FORMS[kernel](exact.exp()), exact)
    logp = log(p, dtype)
    tolerance = 1e-9 if dtype == torch.float64 else 2e-5
    assert slope(expert_loss(kernel, logp), logp) == pytest.approx(expected, rel=tolerance, abs=1e-7)
    assert expert_weight(kernel, logp).item() == pytest.approx(-expected, rel=tolerance, abs=1e-7)


def test_weights_have_the_papers_values() -> None:
    logp = [math.log(p) for p in (0.9, 0.5, 0.1, 0.01)]
    assert expert_weight("nll", logp).tolist() == [1, 1, 1, 1]
    assert expert_weight("trsft", logp, alpha=0.1).tolist() == pytest.approx([1, 1, 1, 0.1])
    assert expert_weight("dft", logp).tolist() == pytest.approx([0.9, 0.5, 0.1, 0.01])
    assert expert_weight("phi", logp).tolist() == pytest.approx([0.09, 0.25, 0.09, 0.0099])
    # ALGORITHMS 2.5: LUFFY's weights beside TrSFT's
    assert expert_weight("shaped", logp, gamma=0.1).tolist() == pytest.approx([0.09, 0.139, 0.25, 0.083], abs=5e-4)


@pytest.mark.parametrize("kernel", CLOSED_FORMS)
def test_no_kernel_makes_nan_of_an_impossible_or_a_certain_token(kernel: str) -> None:
    logp = torch.tensor([-math.inf, -1e30, -200.0, 0.0], requires_grad=True)
    loss = expert_loss(kernel, logp)
    gradient = torch.autograd.grad(loss.sum(), logp)[0]
    assert loss.isfinite().all()
    assert gradient.isfinite().all()
    assert gradient[0] == 0


@pytest.mark.parametrize("kernel", CLOSED_FORMS)
@given(p=st.floats(0.0, 1.0))
def test_no_kernel_pulls_harder_than_nll_or_pushes_away(kernel: str, p: float) -> None:
    weight = expert_weight(kernel, [math.log(p) if p else -math.inf]).item()
    assert 0 <= weight <= 1


@given(st.floats(1e-6, 1.0))
def test_dft_is_trsft_with_alpha_1_and_nll_with_alpha_0(p: float) -> None:
    logp = [math.log(p)]
    assert expert_weight("dft", logp).item() == pytest.approx(expert_weight("trsft", logp, alpha=1.0).item())
    assert expert_weight("nll", logp).item() == expert_weight("trsft", logp, alpha=0.0).item()


def test_a_weight_carries_no_gradient_and_keeps_the_shape() -> None:
    logp = torch.randn(2, 3, 4, generator=torch.Generator().manual_seed(0)).requires_grad_()
    for kernel in KERNELS:
        weight = expert_weight(kernel, logp)
        assert weight.shape == logp.shape
        assert not weight.requires_grad


def test_logits_move_by_softmax_minus_target_damped() -> None:
    logits = torch.tensor([2.0, 0.0, -1.5, 0.3], dtype=torch.float64, requires_grad=True)
    p = logits.softmax(0)
    for token in range(4):
        gradient = torch.autograd.grad(expert_loss("trsft", logits.log_softmax(0)[token], alpha=ALPHA), logits)[0]
        expected = min(p[token].item() / ALPHA, 1) * (p.detach() - torch.eye(4)[token])
        assert torch.allclose(gradient, expected, atol=1e-12)


def test_unknown_kernels_and_foreign_parameters_are_refused() -> None:
    with pytest.raises(ValueError, match="'sft' is not a kernel; known: nll, trsft"):
        expert_weight("sft", torch.zeros(1))
    with pytest.raises(TypeError):
        expert_weight("dft", torch.zeros(1), alpha=0.1)


# --------------------------------------------------------------------------------- where minimising TrSFT's loss leads


def gain(p_expert: float, p: float, alpha: float) -> float:
    """How much the expected loss falls with p, per unit of p."""
    return p_expert / max(p, alpha)


def assert_optimal(p_expert: list[float], optimum: list[float], alpha: float) -> None:
    """KKT: one multiplier for every token in use, no larger gain anywhere else. The loss is convex: that suffices."""
    assert math.fsum(optimum) == pytest.approx(1.0, abs=1e-9)
    assert min(optimum) >= 0
    gains = [gain(expert, p, alpha) for expert, p in zip(p_expert, optimum, strict=True)]
    multiplier = max(gains)
    for value, p in zip(gains, optimum, strict=True):
        assert p <= 1e-9 or value == pytest.approx(multiplier, rel=1e-6)


def expected_loss(p_expert: list[float], p: list[float], alpha: float) -> float:
    logp = [math.log(value) if value else -math.inf for value in p]
    losses = trsft_loss(logp, alpha).tolist()
    return math.fsum(expert * loss for expert, loss in zip(p_expert, losses, strict=True) if expert)


def distributions() -> st.SearchStrategy[list[float]]:
    """Ties, zeros and shares that meet alpha exactly are likely."""
    counts = st.lists(st.integers(0, 12), min_size=1, max_size=8).filter(any)
    floats = st.lists(st.floats(0.0, 1.0), min_size=1, max_size=8).filter(lambda weights: sum(weights) > 0.01)
    return st.one_of(counts, floats).map(lambda weights: [weight / sum(weights) for weight in weights])


@settings(max_examples=300)
@given(distributions(), st.sampled_from([0.05, 0.1, 0.25, 1 / 3, 0.5, 1.0]) | st.floats(1e-3, 1.0))
def test_the_optimum_satisfies_kkt_for_any_distribution(p_expert: list[float], alpha: float) -> None:
    assert_optimal(p_expert, trsft_optimum(p_expert, alpha), alpha)


@settings(max_examples=50)
@given(distributions(), st.floats(0.01, 1.0), st.integers(0, 2**32))
def test_no_other_distribution_has_a_lower_expected_loss(p_expert: list[float], alpha: float, seed: int) -> None:
    least = expected_loss(p_expert, trsft_optimum(p_expert, alpha), alpha)
    rng = random.Random(seed)
    others = [[rng.expovariate(1) for _ in p_expert] for _ in range(5)]
    for other in [p_expert, *([weight / sum(weights) for weight in weights] for weights in others)]:
        assert least <= expected_loss(p_expert, other, alpha) + 1e-9


@pytest.mark.parametrize(
    ("p_expert", "alpha", "expected"),
    [
        ([0.5, 0.3, 0.2], 0.1, [0.5, 0.3, 0.2]),  # all above alpha: the expert itself, lambda = 1
        ([0.85, 0.09, 0.06], 0.1, [0.944444444, 0.055555556, 0.0]),  # the jump at lambda = .9
        ([0.92, 0.05, 0.03], 0.1, [1.0, 0.0, 0.0]),
        ([0.6, 0.3, 0.1], 0.1, [0.6, 0.3, 0.1]),  # a token at alpha exactly
        ([0.6, 0.3, 0.06, 0.04], 0.1, [0.666666667, 0.333333333, 0.0, 0.0]),
        ([0.5, 0.5], 0.6, [0.5, 0.5]),
        ([0.5, 0.3, 0.2], 1.0, [1.0, 0.0, 0.0]),  # DFT's limit: the mode
        ([0.5, 0.3, 0.2], 0.0, [0.5, 0.3, 0.2]),  # NLL
        ([0.0, 1.0], 0.1, [0.0, 1.0]),
    ],
)
def test_the_optimum_keeps_what_the_expert_does_often_enough(
    p_expert: list[float], alpha: float, expected: list[float]
) -> None:
    assert trsft_optimum(p_expert, alpha) == pytest.approx(expected, abs=1e-9)
    assert trsft_optimum(tuple(p_expert), alpha) == pytest.approx(expected, abs=1e-9)
    assert trsft_optimum(torch.tensor(p_expert), alpha) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("p_expert", "alpha"),
    [
        ([0.85, 0.09, 0.06], 0.1),
        ([0.6, 0.3, 0.06, 0.04], 0.1),
        ([0.55, 0.25, 0.12, 0.08], 0.3),
    ],
)
def test_adam_on_softmax_logits_finds_the_optimum(p_expert: list[float], alpha: float) -> None:
    expert = torch.tensor(p_expert, dtype=torch.float64)
    logits = torch.zeros(len(p_expert), dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.Adam([logits], lr=0.05)
    for _ in range(1500):
        optimizer.zero_grad()
        (expert * trsft_loss(logits.log_softmax(0), alpha)).sum().backward()
        optimizer.step()
    assert logits.softmax(0).tolist() == pytest.approx(trsft_optimum(p_expert, alpha), abs=5e-3)


@pytest.mark.parametrize("p_expert", [[0.5, 0.4], [1.5, -0.5], [], [math.nan, 1.0]])
def test_what_is_no_distribution_is_refused(p_expert: list[float]) -> None:
    with pytest.raises(ValueError, match="sum to 1"):
        trsft_optimum(p_expert, ALPHA)
