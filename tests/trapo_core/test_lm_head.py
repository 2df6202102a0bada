"""The chunked head against the full logits: values, gradients, and the work that it leaves out."""

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import linear

from trapo_core.lm_head import token_logps

N, D, V = 23, 8, 37


def inputs(dtype: torch.dtype = torch.float32) -> dict[str, Tensor]:
    """Hidden states, head, targets and temperatures from 0.5 to 1.5."""
    generator = torch.Generator().manual_seed(0)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=dtype).requires_grad_()

    return {
        "hidden_N_D": normal(N, D),
        "weight_V_D": normal(V, D),
        "targets_N": torch.randint(V, (N,), generator=generator),
        "temperature_N": torch.linspace(0.5, 1.5, N, dtype=dtype),
        "bias_V": normal(V),
    }


def full_logits(
    hidden_N_D: Tensor, weight_V_D: Tensor, targets_N: Tensor, temperature_N: Tensor, bias_V: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """The definition, on all logits at once and by autograd."""
    logps_N_V = (linear(hidden_N_D, weight_V_D, bias_V).float() / temperature_N[:, None]).log_softmax(dim=-1)
    return logps_N_V.gather(1, targets_N[:, None]).squeeze(1), torch.distributions.Categorical(
        logits=logps_N_V
    ).entropy()


def gradients(function: Any, given: dict[str, Tensor], entropy: float, **options: Any) -> list[Tensor]:
    """Values and gradients of a loss that weighs every token differently."""
    logp_N, entropy_N = function(**given, **options)
    weights_N = torch.linspace(-1, 2, N)
    wanted = [tensor for tensor in given.values() if tensor.requires_grad]
    return [
        logp_N.detach(),
        entropy_N.detach(),
        *torch.autograd.grad(((logp_N + entropy * entropy_N) * weights_N).sum(), wanted),
    ]


@pytest.mark.parametrize("chunk_tokens", [1, 7, 23, None])
@pytest.mark.parametrize("entropy", [0.0, 0.3])
def test_values_and_gradients_are_those_of_the_full_logits(chunk_tokens: int | None, entropy: float) -> None:
    ours = gradients(token_logps, inputs(), entropy, chunk_tokens=chunk_tokens)
    for mine, theirs in zip(ours, gradients(full_logits, inputs(), entropy), strict=True):
        torch.testing.assert_close(mine, theirs, atol=1e-5, rtol=1e-5)


def test_both_results_pass_the_numerical_gradient_check() -> None:
    given = inputs(torch.float64)
    targets_N, temperature_N = given["targets_N"], given["temperature_N"]

    def function(hidden_N_D: Tensor, weight_V_D: Tensor, bias_V: Tensor) -> tuple[Tensor, Tensor]:
        return token_logps(hidden_N_D, weight_V_D, targets_N, temperature_N, bias_V=bias_V, chunk_tokens=10)

    assert torch.autograd.gradcheck(function, (given["hidden_N_D"], given["weight_V_D"], given["bias_V"]))


def test_a_loss_of_one_result_alone_has_its_gradient() -> None:
    for index in (0, 1):
        ours, theirs = inputs(), inputs()
        token_logps(**ours, chunk_tokens=5)[index].sum().backward()
        full_logits(**theirs)[index].sum().backward()
        torch.testing.assert_close(ours["hidden_N_D"].grad, theirs["hidden_N_D"].grad, atol=1e-5, rtol=1e-5)


def test_a_frozen_head_gets_no_gradient_and_the_hidden_states_theirs() -> None:
    given = inputs()
    given["weight_V_D"].requires_grad_(False)
    given["bias_V"].requires_grad_(False)
    token_logps(**given)[0].sum().backward()
    expected = inputs()
    full_logits(**expected)[0].sum().backward()
    assert given["weight_V_D"].grad is None
    torch.testing.assert_close(given["hidden_N_D"].grad, expected["hidden_N_D"].grad, atol=1e-5, rtol=1e-5)


def products_of_backward(given: dict[str, Tensor]) -> int:
    logp_N, _ = token_logps(**given)
    with torch.profiler.profile() as profile:
        logp_N.sum().backward()
    return sum(event.count for event in profile.key_averages() if event.key in ("aten::mm", "aten::addmm_"))


def test_a_frozen_head_skips_the_product_of_its_gradient() -> None:
    frozen = inputs()
    frozen["weight_V_D"].requires_grad_(False)
    assert products_of_backward(frozen) == products_of_backward(inputs()) - 1


def test_huge_logits_stay_finite() -> None:
    given = inputs()
    with torch.no_grad():
        given["hidden_N_D"] *= 1e15
        given["weight_V_D"] *= 1e15
    for value in gradients(token_logps, given, 0.1):
        assert torch.isfinite(value).all()


def test_a_head_tied_to_the_embedding_gathers_both_gradients() -> None:
    grads = []
    for function in (token_logps, full_logits):
        given = inputs()
        weight_V_D, targets_N = given["weight_V_D"], given["targets_N"]
        hidden_N_D = weight_V_D[targets_N].tanh()
        function(hidden_N_D, weight_V_D, targets_N.roll(1), given["temperature_N"])[0].sum().backward()
        grads.append(weight_V_D.grad)
    torch.testing.assert_close(grads[0], grads[1], atol=1e-5, rtol=1e-5)


def test_under_autocast_the_product_is_half_precision_and_the_result_float32() -> None:
    given, expected = inputs(), inputs()
    with torch.autocast("cpu", torch.bfloat16):
        logp_N, entropy_N = token_logps(**given, chunk_tokens=7)
        reference_N, _ = full_logits(**expected)
    logp_N.sum().backward()
    reference_N.sum().backward()
    assert logp_N.dtype == entropy_N.dtype == torch.float32
    torch.testing.assert_close(logp_N, reference_N, atol=1e-5, rtol=1e-5)  # the very same bfloat16 logits
    assert given["weight_V_D"].grad.dtype == torch.float32
    torch.testing.assert_close(given["weight_V_D"].grad, expected["weight_V_D"].grad, atol=0.1, rtol=0.05)


def test_no_tokens_give_no_values() -> None:
    given = inputs()
    empty = {name: given[name][:0] for name in ("hidden_N_D", "targets_N", "temperature_N")}
    logp_N, entropy_N = token_logps(**empty, weight_V_D=given["weight_V_D"])
    (logp_N.sum() + entropy_N.sum()).backward()
    assert len(logp_N) == len(entropy_N) == 0
    assert not given["weight_V_D"].grad.any()
