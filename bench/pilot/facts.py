"""What the paper states of the two pilots, as figures against thresholds."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from bench.pilot.mixture import Course, Setting
from bench.pilot.tabular import Minimised

DECISIVE_STEP = 100
SETTLED_STEP = 25  # the students begin with some mass in the void; by then TrSFT has taken it back
VOID_NLL, VOID_TRSFT = 0.09, 0.002
DISTANCE, EXCESS = 5e-3, 1e-3


@dataclass(frozen=True)
class Fact:
    """A statement that holds if `figure` is below (or above) `threshold`."""

    experiment: str
    statement: str
    figure: float
    threshold: float
    above: bool = False

    @property
    def holds(self) -> bool:
        return self.figure > self.threshold if self.above else self.figure < self.threshold


def mixture_facts(setting: Setting, nll: Course, trsft: Course) -> Iterator[Fact]:
    """Each over all seeds: the figure is the worst one."""
    decisive, settled = nll.steps_T.index(DECISIVE_STEP), nll.steps_T.index(SETTLED_STEP)
    last = nll.steps_T[-1]
    forward = nll.kl_expert_student_T_S - trsft.kl_expert_student_T_S
    reverse = trsft.kl_student_expert_T_S - nll.kl_student_expert_T_S
    for statement, figure, threshold, above in (
        (f"NLL fills the void: its mass at step {DECISIVE_STEP}", nll.void_T_S[decisive].min(), VOID_NLL, True),
        (f"TrSFT does not: its mass at any step from {SETTLED_STEP} on", trsft.void_T_S[settled:].max(),
         VOID_TRSFT, False),
        (f"NLL covers: KL(expert ‖ student) at step {last}, NLL less TrSFT", forward[-1].max(), 0.0, False),
        (f"TrSFT seeks: KL(student ‖ expert) at any step from {SETTLED_STEP} on, TrSFT less NLL",
         reverse[settled:].max(), 0.0, False),
    ):  # fmt: skip
        yield Fact(setting.name, statement, float(figure), threshold, above)


def table_facts(tables: Sequence[Minimised]) -> Iterator[Fact]:
    for table in tables:
        name = f"Proposition 1, {table.case.name}"
        yield Fact(name, "Adam ends at p*: greatest distance over starts and tokens", table.distance, DISTANCE)
        yield Fact(name, "and no higher: expected loss above the optimum's", table.excess, EXCESS)


def markdown(facts: Sequence[Fact], settings: Mapping[str, object]) -> str:
    """The report: one row a fact, and what it was made with."""
    rows = [
        f"| {'PASS' if fact.holds else 'FAIL'} | {fact.experiment} | {fact.statement} | {fact.figure:.3g} "
        f"| {'>' if fact.above else '<'} {fact.threshold:g} |"
        for fact in facts
    ]
    made_with = ", ".join(f"{name} {value}" for name, value in settings.items())
    head = ["# Pilot experiments", "", f"Made with {made_with}. Figures are the worst over all seeds.", ""]
    return "\n".join([*head, "| | experiment | fact | figure | threshold |", "|---|---|---|---|---|", *rows, ""])
