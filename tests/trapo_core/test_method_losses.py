"""The loss of every method on a hand-made batch, and its gradient in every logit, against the document's formulas."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import pytest
import torch

from trapo_core.batch import TokenSequence, build_sequences
from trapo_core.checkpoint import TrainerState
from trapo_core.collect import plan_step
from trapo_core.group import Group
from trapo_core.methods import METHODS
from trapo_core.objective import batch_loss
from trapo_core.packing import collate
from trapo_core.stage import Stage

from . import oracle
from .conftest import small_spec
from .hand_made import (
    EIGHT_AND_A_TRACE,
    FALLEN_BACK,
    HINTS,
    HYBRID,
    MICRO_GROUPS,
    SEVEN_AND_A_TRACE,
    STREAM,
    TRACES_ONLY,
    UNGUIDED,
)
from .oracle import MAX_TOKENS, SURROGATE, Batch, Table, Tables

# ----------------------------------------------------------------------------------------------------------- the cases

SUPERVISED_STEP = TrainerState(step=100, supervised_norm=1.0)  # SASR: its probability is then 1
REINFORCED_STEP = TrainerState(step=100, warm_norm=1.0)


@dataclass(frozen=True)
class Case:
    """What a method does in one kind of step: after `state.step` steps, in the stage of that step."""

    method: str
    batch: Batch
    loss: oracle.Loss
    state: TrainerState = field(default_factory=TrainerState)
    stage: int = -1

    @property
    def plan(self) -> Stage:
        stage = small_spec(method=self.method, **DEMONSTRATIONS.get(self.method, {})).stages()[self.stage]
        return plan_step(stage, self.state, seed=0)


DEMONSTRATIONS = {
    method: {"demonstrations": {"prompts_per_step": 2}} for method in ("chord_mu", "chord_phi", "bridge_mix")
}
CASES = {
    "trapo": Case("trapo", MICRO_GROUPS, oracle.micro_groups("trsft")),
    "trapo_official": Case("trapo_official", MICRO_GROUPS, oracle.trapo_official),
    "micro_group": Case("micro_group", MICRO_GROUPS, oracle.micro_groups(None)),
    "micro_group_nll": Case("micro_group_nll", MICRO_GROUPS, oracle.micro_groups("nll")),
    "micro_group_luffy": Case("micro_group_luffy", MICRO_GROUPS, oracle.micro_groups("shaped", lambda a: max(a, 0.0))),
    "grpo": Case("grpo", UNGUIDED, oracle.unclipped),
    "dr_grpo": Case("dr_grpo", UNGUIDED, oracle.dr_grpo),
    "sft": Case("sft", TRACES_ONLY, oracle.supervised("nll")),
    "dft": Case("dft", TRACES_ONLY, oracle.supervised("dft")),
    "trsft": Case("trsft", TRACES_ONLY, oracle.supervised("trsft")),
    "sft_then_rl, first stage": Case("sft_then_rl", TRACES_ONLY, oracle.supervised("nll"), stage=0),
    "sft_then_rl, then": Case("sft_then_rl", UNGUIDED, oracle.unclipped),
    "rl_sft": Case("rl_sft", SEVEN_AND_A_TRACE, oracle.rl_sft),
    "luffy": Case("luffy", SEVEN_AND_A_TRACE, oracle.micro_groups("shaped", lambda a: a)),
    "prefix_rft": Case("prefix_rft", HYBRID, oracle.prefix_rft),
    "relift": Case("relift", UNGUIDED, oracle.unclipped),
    "relift, buffer full": Case("relift", Batch([], TRACES_ONLY.groups), oracle.supervised("nll")),
    "srft": Case("srft", EIGHT_AND_A_TRACE, oracle.srft),
    "chord_mu, step 0": Case("chord_mu", STREAM, oracle.chord("nll", 0.9)),
    "chord_mu, step 70": Case("chord_mu", STREAM, oracle.chord("nll", oracle.mu_of_chord(70)), TrainerState(step=70)),
    "chord_mu, late": Case("chord_mu", STREAM, oracle.chord("nll", 0.05), TrainerState(step=400)),
    "chord_phi": Case("chord_phi", STREAM, oracle.chord("phi", 0.1)),
    "hpt": Case("hpt", FALLEN_BACK, oracle.hpt),
    "hpt, all failed": Case("hpt", Batch([], TRACES_ONLY.groups), oracle.hpt),
    "sasr, supervised": Case("sasr", TRACES_ONLY, oracle.supervised("nll"), SUPERVISED_STEP),
    "sasr, reinforced": Case("sasr", UNGUIDED, oracle.classic_grpo(0.04), REINFORCED_STEP),
    "uft": Case("uft", HINTS, oracle.uft),
    "bridge_mix": Case("bridge_mix", STREAM, oracle.bridge_mix),
}
cases = pytest.mark.parametrize("case", CASES.values(), ids=CASES)

NOW: Table = [[0.3, -1.2, 0.8, -2.6], [1.5, -2.5, 0.1, 0.4], [-0.7, 0.2, -3.0, 0.9], [0.0, 1.1, -0.4, -1.9]]
REFERENCE: Table = [[0.1, -0.9, 0.5, -2.0], [1.0, -2.0, 0.6, 0.2], [-0.5, 0.4, -2.0, 0.3], [0.2, 0.7, -0.1, -1.0]]
# Before the first of two updates, far enough away for ratios from 0.25 to above 3.
EARLIER: Table = [[0.9, -1.5, 0.2, -1.2], [0.2, -1.0, 0.9, -0.9], [0.6, -1.1, -2.8, 1.0], [-1.2, 1.6, 0.5, -1.7]]


def told(case: Case, tables: Tables) -> tuple[float, Table]:
    """(loss, gradient) of the product's own path from groups to the loss; only the model is a table. In two
    micro-batches: every mean is over the whole batch, so that their sum is the loss."""
    plan = case.plan
    table = torch.tensor(tables.free, dtype=torch.float64, requires_grad=True)
    sequences = [
        with_logps(sequence, steps, tables, kl=plan.policy.kl > 0)
        for sequence, steps in zip(
            build_sequences(case.batch.groups, plan.policy, plan.expert, max_tokens=MAX_TOKENS, shown=case.batch.shown),
            ([*prefix, *own] for _, prefix, own in oracle.samples([*case.batch.groups, *case.batch.shown])),
            strict=True,
        )
    ]
    total = 0.0
    for part in (sequences[1::2], sequences[::2]):
        batch = collate(part, temperature=1.0)
        logps_M_V = table.log_softmax(-1)[batch.ids_N[batch.place_M]]
        logp_M = logps_M_V.gather(1, batch.targets_M[:, None]).squeeze(1)
        entropy_M = -(logps_M_V.exp() * logps_M_V).sum(-1)
        loss = batch_loss(batch, logp_M, entropy_M, plan.policy, plan.expert)
        loss.backward()
        total += loss.item()
    assert table.grad is not None
    return total, table.grad.tolist()


def with_logps(sequence: TokenSequence, steps: Sequence[oracle.Step], tables: Tables, *, kl: bool) -> TokenSequence:
    """As the learner gives it: old log-probs in a later update only, those of the reference where there is a KL."""
    later = tables.old is not tables.fixed
    return replace(
        sequence,
        old_logps=[oracle.logp(tables.old, step) for step in steps] if later else None,
        reference_logps=[oracle.logp(tables.reference, step) for step in steps] if kl else None,
    )


def agree(case: Case, tables: Tables) -> None:
    loss, gradient = told(case, tables)
    assert loss == pytest.approx(case.loss(case.batch, tables, SURROGATE), rel=1e-6, abs=5e-8)  # weights are float32
    expected = torch.tensor(oracle.gradient(case.loss, case.batch, tables), dtype=torch.float64)
    torch.testing.assert_close(torch.tensor(gradient, dtype=torch.float64), expected, rtol=1e-5, atol=1e-8)
    assert expected.abs().max() > 1e-3


# ----------------------------------------------------------------------------------------------------------- the facts


def test_every_method_has_a_case() -> None:
    assert {case.method for case in CASES.values()} == set(METHODS)


@cases
def test_loss_and_gradient_are_those_of_the_documents_formula(case: Case) -> None:
    agree(case, Tables(NOW, NOW, NOW, REFERENCE))


@cases
def test_in_a_later_update_the_ratio_is_to_the_weights_before_the_first(case: Case) -> None:
    agree(case, Tables(NOW, NOW, EARLIER, REFERENCE))


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.plan.policy.clip and case.batch.groups])
def test_in_that_later_update_the_clip_binds_on_both_sides(name: str) -> None:
    case, tables = CASES[name], Tables(NOW, NOW, EARLIER, REFERENCE)
    advantages = oracle.centred if case.method in ("dr_grpo", "prefix_rft") else oracle.z_scores
    bound: set[float] = set()

    def note(step: oracle.Step, a: float) -> float:
        r = oracle.ratio(tables, step)
        if (r > 1.2 and a > 0) or (r < 0.8 and a < 0):
            bound.add(math.copysign(1.0, a))
        return 0.0

    oracle.per_token(case.batch, advantages, note)
    assert bound == {-1.0, 1.0}


def test_in_that_later_update_the_dual_clip_binds_on_prefix_and_own_tokens() -> None:
    tables, bound = Tables(NOW, NOW, EARLIER, REFERENCE), set()
    advantages = [a for group in HYBRID.groups for a in oracle.centred(group)]
    for (_, prefix, own), a in zip(oracle.samples(HYBRID.groups), advantages, strict=True):
        for step in (*prefix, *own):
            if a < 0 and oracle.ratio(tables, step) > 3:
                bound.add("prefix" if step in prefix else "own")
    assert bound == {"prefix", "own"}


# --------------------------------------------------------------------------------------- what the document leaves open


@pytest.mark.parametrize(
    ("method", "batch", "groups_alike"),
    [
        # Four copies of a hint count like one, because all prompts have four.
        ("uft", HINTS, lambda g: Group(g.problem, [replace(rollout, copy=0) for rollout in g.rollouts])),
        # LUFFY and its relatives have one copy of the trace in a slot, so that dedupe changes nothing.
        ("luffy", SEVEN_AND_A_TRACE, lambda g: Group(g.problem, [replace(rollout, copy=0) for rollout in g.rollouts])),
    ],
)
def test_deduplication_changes_nothing_where_every_prefix_has_as_many_copies(
    method: str, batch: Batch, groups_alike: Callable[[Group], Group]
) -> None:
    tables = Tables(NOW, NOW, NOW, REFERENCE)
    case = next(case for case in CASES.values() if case.method == method)
    other = replace(case, batch=Batch([groups_alike(group) for group in batch.groups]))
    for one, two in zip(told(case, tables)[1], told(other, tables)[1], strict=True):
        assert one == pytest.approx(two, rel=1e-5, abs=1e-9)
