"""Our GRPO losses against TRL's on identical tensors: `python -m bench.trl_losses` (extra `compare`).

A tiny random model in float64, completions of unequal length, rewards of mixed groups. Prints loss and gradient of both
and exits with status 1 if they differ by more than 1e-6.
"""

import sys
import tempfile
from dataclasses import dataclass

import torch
from datasets import Dataset
from torch import Tensor
from trl import GRPOConfig, GRPOTrainer

from trapo_core.batch import TokenSequence, build_sequences
from trapo_core.group import Group, Rollout
from trapo_core.knobs import PolicyTerm
from trapo_core.model import Policy, make_policy, new_qwen2, small_world_tokenizer
from trapo_core.objective import batch_loss
from trapo_core.packing import collate
from trapo_core.tokenized import TokenizedProblem
from trapo_core.update import read

TOLERANCE = 1e-6
MAX_TOKENS = 12
GROUPS, SAMPLES = 3, 4


@dataclass(frozen=True)
class Case:
    """One of TRL's losses and what we call it; `moved` gives both old log-probs away from the present ones."""

    loss_type: str
    policy: PolicyTerm
    epsilon: tuple[float, float] = (0.2, 0.2)
    moved: bool = False


CASES = {
    "dr_grpo": Case("dr_grpo", PolicyTerm(clip=(0.2, 0.2), norm="const")),
    "dr_grpo, ratios off 1": Case("dr_grpo", PolicyTerm(clip=(0.2, 0.28), norm="const"), (0.2, 0.28), moved=True),
    "grpo (mean over each answer)": Case("grpo", PolicyTerm(clip=(0.2, 0.2), norm="seq_mean")),
    "grpo, ratios off 1": Case("grpo", PolicyTerm(clip=(0.2, 0.2), norm="seq_mean"), moved=True),
    "mean over all tokens (bnpo)": Case("bnpo", PolicyTerm(clip=(0.2, 0.2), norm="token_mean"), moved=True),
}


def main() -> int:
    torch.manual_seed(0)
    tokenizer = small_world_tokenizer()
    model = new_qwen2(tokenizer, hidden_size=32, layers=2, heads=2, context=160, seed=1).double()
    policy = make_policy(model, tokenizer, device=torch.device("cpu"), dtype=torch.float32)
    groups = random_groups(len(tokenizer))
    worst = 0.0
    print(f"{'loss':32}{'ours':>16}{'TRL':>16}{'|difference|':>14}{'of gradients':>14}")
    for name, case in CASES.items():
        our_loss, our_gradient = ours(policy, groups, case)
        their_loss, their_gradient = theirs(policy, groups, case)
        gap, gradient_gap = abs(our_loss - their_loss), (our_gradient - their_gradient).abs().max().item()
        worst = max(worst, gap, gradient_gap)
        print(f"{name:32}{our_loss:16.10f}{their_loss:16.10f}{gap:14.1e}{gradient_gap:14.1e}")
    return int(worst > TOLERANCE)


def random_groups(vocabulary: int) -> list[Group]:
    generator = torch.Generator().manual_seed(3)

    def tokens(low: int, high: int) -> list[int]:
        length = int(torch.randint(low, high + 1, (1,), generator=generator))
        return torch.randint(3, vocabulary, (length,), generator=generator).tolist()

    groups = []
    for number in range(GROUPS):
        rollouts = []
        for sample in range(SAMPLES):
            ids = tokens(1, MAX_TOKENS)
            reward = float(torch.rand(1, generator=generator) < 0.5)
            rollouts.append(
                Rollout(
                    0, sample, 0.0, sample, [], ids, [0.0] * len(ids), "length", reward, "right" if reward else "wrong"
                )
            )
        groups.append(Group(TokenizedProblem(f"p{number}", "", tokens(3, 6), []), rollouts))
    return groups


def old_logps(sequence: TokenSequence) -> list[float]:
    """Log-probs of some earlier policy: ratios on both sides of both clips."""
    generator = torch.Generator().manual_seed(sequence.index)
    return (-4.0 + torch.randn(len(sequence.ids) - sequence.prompt, generator=generator) * 0.3).tolist()


def sequences_of(groups: list[Group], case: Case) -> list[TokenSequence]:
    return build_sequences(groups, case.policy, (), max_tokens=MAX_TOKENS)


def ours(policy: Policy, groups: list[Group], case: Case) -> tuple[float, Tensor]:
    sequences = sequences_of(groups, case)
    batch = collate(sequences, temperature=1.0)
    batch = type(batch)(
        **{k: v.double() if isinstance(v, Tensor) and v.is_floating_point() else v for k, v in vars(batch).items()}
    )
    policy.model.zero_grad()
    logp_M, entropy_M = read(policy, batch)
    if case.moved:
        old = torch.tensor([logp for sequence in sequences for logp in old_logps(sequence)], dtype=torch.float64)
        batch = type(batch)(**{**vars(batch), "old_logps_M": old})
    loss = batch_loss(batch, logp_M, entropy_M, case.policy, ())
    loss.backward()
    return loss.item(), gradient(policy)


def theirs(policy: Policy, groups: list[Group], case: Case) -> tuple[float, Tensor]:
    sequences = sequences_of(groups, case)
    with tempfile.TemporaryDirectory() as folder:
        config = GRPOConfig(
            output_dir=folder, loss_type=case.loss_type, max_completion_length=MAX_TOKENS, num_generations=SAMPLES,
            per_device_train_batch_size=SAMPLES, epsilon=case.epsilon[0], epsilon_high=case.epsilon[1], beta=0.0,
            use_cpu=True, bf16=False, report_to=[], activation_checkpointing=False,
        )  # fmt: skip
        trainer = GRPOTrainer(
            model=policy.model, reward_funcs=lambda completions, **_: [0.0] * len(completions), args=config,
            train_dataset=Dataset.from_list([{"prompt": "^a1?"}]), processing_class=policy.tokenizer,
        )  # fmt: skip
    policy.model.eval().zero_grad()
    loss = trainer._compute_loss(policy.model, padded(sequences, policy.pad_id, case))
    loss.backward()
    return loss.item(), gradient(policy)


def padded(sequences: list[TokenSequence], pad_id: int, case: Case) -> dict[str, Tensor]:
    """TRL's layout: prompts padded on the left, completions on the right."""
    prompts = [sequence.ids[: sequence.prompt] for sequence in sequences]
    answers = [sequence.ids[sequence.prompt :] for sequence in sequences]
    wide, long = max(map(len, prompts)), max(map(len, answers))
    tensors = {
        "prompt_ids": torch.tensor([[pad_id] * (wide - len(p)) + p for p in prompts]),
        "prompt_mask": torch.tensor([[0] * (wide - len(p)) + [1] * len(p) for p in prompts]),
        "completion_ids": torch.tensor([a + [pad_id] * (long - len(a)) for a in answers]),
        "completion_mask": torch.tensor([[1] * len(a) + [0] * (long - len(a)) for a in answers]),
        "advantages": torch.tensor([sequence.advantage for sequence in sequences], dtype=torch.float64),
    }
    if case.moved:
        old = [old_logps(sequence) + [0.0] * (long - len(a)) for sequence, a in zip(sequences, answers, strict=True)]
        tensors["old_per_token_logps"] = torch.tensor(old, dtype=torch.float64)
    return tensors


def gradient(policy: Policy) -> Tensor:
    return torch.cat([p.grad.flatten() for p in policy.model.parameters() if p.grad is not None])


if __name__ == "__main__":
    sys.exit(main())
