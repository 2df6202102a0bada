"""Distribution blending on a Gaussian mixture (arXiv 2512.17636, Fig. 3): where NLL and TrSFT put a student's mass.

The expert has more modes than the student. Both students see the same samples of the expert and differ in their loss
alone; all seeds are trained at once, as rows of one tensor whose losses are summed, which Adam keeps apart.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from trapo_core.kernels import trsft_loss

LEARNING_RATE = 0.05
BATCH = 512
VOID_BELOW = 1e-3  # where the expert's density is lower, it hardly ever goes: the void between its modes
GRID_X = torch.linspace(-20.0, 20.0, 4001, dtype=torch.float64)
STEP_X = float(GRID_X[1] - GRID_X[0])


@dataclass(frozen=True)
class Mixture:
    """Gaussians in one dimension, for S students at once (S = 1 for the expert): weights as logits, means, log sds."""

    logits_S_K: Tensor
    means_S_K: Tensor
    log_sds_S_K: Tensor

    @classmethod
    def of(cls, means: Iterable[float], sd: float, weights: Iterable[float], students: int = 1) -> "Mixture":
        logits_K = torch.tensor(list(weights), dtype=torch.float64).log()
        means_K = torch.tensor(list(means), dtype=torch.float64)
        log_sds_K = torch.full_like(means_K, math.log(sd))
        return cls(*(part.repeat(students, 1) for part in (logits_K, means_K, log_sds_K)))

    @property
    def parameters(self) -> tuple[Tensor, Tensor, Tensor]:
        return self.logits_S_K, self.means_S_K, self.log_sds_S_K

    def log_density(self, x_S_N: Tensor) -> Tensor:
        """log p(x), S × N."""
        z_S_N_K = (x_S_N[..., None] - self.means_S_K[:, None]) * (-self.log_sds_S_K[:, None]).exp()
        log_modes = -(z_S_N_K**2) / 2 - self.log_sds_S_K[:, None] - math.log(2 * math.pi) / 2
        return (self.logits_S_K.log_softmax(-1)[:, None] + log_modes).logsumexp(-1)

    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """`count` draws of the first row."""
        mode_N = self.logits_S_K[0].softmax(-1).multinomial(count, replacement=True, generator=generator)
        noise_N = torch.randn(count, dtype=torch.float64, generator=generator)
        return self.means_S_K[0, mode_N] + self.log_sds_S_K[0, mode_N].exp() * noise_N


@dataclass(frozen=True)
class Setting:
    """The expert's modes, where the student's begin, and TrSFT's alpha: a density here, not a probability."""

    name: str
    title: str
    expert_means: tuple[float, ...]
    expert_weights: tuple[float, ...]
    student_means: tuple[float, ...]
    expert_sd: float
    alpha: float
    student_sd: float = 0.7

    def expert(self) -> Mixture:
        return Mixture.of(self.expert_means, self.expert_sd, self.expert_weights)

    def student(self, students: int) -> Mixture:
        even = [1 / len(self.student_means)] * len(self.student_means)
        return Mixture.of(self.student_means, self.student_sd, even, students)


SETTINGS = (
    Setting(
        "three-modes", "Three equal modes, a student of two that begins on one of them",
        (-6.0, 0.0, 6.0), (0.35, 0.30, 0.35), (-6.5, -5.5), expert_sd=0.7, alpha=0.1,
    ),
    Setting(
        "far-mode", "Two modes that the student of two begins on, and a rare one far off",
        (-4.0, 0.0, 7.0), (0.55, 0.35, 0.10), (-3.5, 0.5), expert_sd=0.8, alpha=0.05,
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Course:
    """What became of S students over T recorded steps: the void's mass and both divergences, and some densities."""

    steps_T: list[int]
    void_T_S: Tensor
    kl_expert_student_T_S: Tensor
    kl_student_expert_T_S: Tensor
    densities: dict[int, Tensor]  # step -> density on GRID_X, S × X


def train(setting: Setting, alpha: float, *, seeds: int, recorded: list[int], kept: Iterable[int]) -> Course:
    """Adam on the expected TrSFT loss of fresh expert samples; `alpha` 0 is NLL. Ends at the last recorded step."""
    expert, student = setting.expert(), setting.student(seeds)
    for part in student.parameters:
        part.requires_grad_()
    optimizer = torch.optim.Adam(student.parameters, lr=LEARNING_RATE)
    draw = _sampler(expert, seeds)
    measured, densities = [], {}
    for step in range(recorded[-1] + 1):
        if step in recorded:
            density_S_X = student.log_density(GRID_X.expand(seeds, -1)).detach()
            measured.append(_measures(density_S_X, expert.log_density(GRID_X[None])))
            if step in kept:
                densities[step] = density_S_X.exp()
        optimizer.zero_grad()
        trsft_loss(student.log_density(draw()), alpha).mean(1).sum().backward()
        optimizer.step()
    return Course(recorded, *(torch.stack(series) for series in zip(*measured, strict=True)), densities)


def expert_density(setting: Setting) -> Tensor:
    """On GRID_X."""
    return setting.expert().log_density(GRID_X[None])[0].exp()


def _sampler(expert: Mixture, seeds: int) -> Callable[[], Tensor]:
    generators = [torch.Generator().manual_seed(seed) for seed in range(seeds)]
    return lambda: torch.stack([expert.sample(BATCH, generator) for generator in generators])


def _measures(student_S_X: Tensor, expert_1_X: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """From log densities: mass in the void, KL(expert‖student), KL(student‖expert), each S numbers."""
    void_1_X = expert_1_X < math.log(VOID_BELOW)
    return (
        (student_S_X.exp() * void_1_X).sum(-1) * STEP_X,
        (expert_1_X.exp() * (expert_1_X - student_S_X)).sum(-1) * STEP_X,
        (student_S_X.exp() * (student_S_X - expert_1_X)).sum(-1) * STEP_X,
    )
