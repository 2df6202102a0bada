"""The table, the picture, and in words what is reproduced and what is not. Every verdict follows from a rule here."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import sqrt
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from bench.reproduce.plan import LEAP, ROWS, Run, Size
from bench.reproduce.runs import Result

COLUMNS = {
    "chains avg@8": "chains avg@8",
    "chains pass@8": "chains pass@8",
    "greedy avg@1": "chains greedy",
    "facts avg@1": "facts",
}
# Two-sided 95 % points of Student's t for n - 1 = 1 … 11 degrees of freedom.
T_95 = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201)

Results = dict[Run, Result]


@dataclass(frozen=True)
class Claim:
    """A statement of the paper as a paired difference of two rows (None: the base), and its sign."""

    text: str
    row: str
    against: str | None
    column: str
    sign: int
    leap: float = LEAP


CLAIMS = (
    Claim(
        "Standard SFT loss on micro-groups collapses below plain GRPO", "micro_group_nll", "grpo", "chains avg@8", -1
    ),
    Claim("Micro-groups alone gain over GRPO", "micro_group", "grpo", "chains avg@8", 1),
    Claim("LUFFY's loss on micro-groups gains over GRPO", "micro_group_luffy", "grpo", "chains avg@8", 1),
    Claim("TrSFT gains over micro-groups alone", "trapo", "micro_group", "chains avg@8", 1),
    Claim("TrSFT gains over the standard SFT loss on micro-groups", "trapo", "micro_group_nll", "chains avg@8", 1),
    Claim("TRAPO gains over GRPO", "trapo", "grpo", "chains avg@8", 1),
    Claim("TRAPO gains over LUFFY", "trapo", "luffy", "chains avg@8", 1),
    Claim("TRAPO gains over ReLIFT", "trapo", "relift", "chains avg@8", 1),
    Claim("TRAPO gains over SFT", "trapo", "sft", "chains avg@8", 1),
    Claim("TRAPO gains over SFT-then-RL", "trapo", "sft_then_rl", "chains avg@8", 1),
    Claim("SFT forgets what was not trained", "sft", None, "facts avg@1", -1),
    Claim("TRAPO forgets less than SFT", "trapo", "sft", "facts avg@1", 1),
    Claim("TRAPO widens pass@8 over GRPO", "trapo", "grpo", "chains pass@8", 1),
    Claim("TRAPO widens pass@8 over its base", "trapo", None, "chains pass@8", 1),
    Claim(
        "Control without leaps: TrSFT gains over the standard SFT loss",
        "trapo",
        "micro_group_nll",
        "chains avg@8",
        1,
        0.0,
    ),
    Claim("Control without leaps: TRAPO gains over GRPO", "trapo", "grpo", "chains avg@8", 1, 0.0),
)


def differences(claim: Claim, found: Results, bases: dict[int, Result]) -> dict[tuple[int, int], float]:
    """Row minus the other by (base, seed), which both have in common."""
    mine = {(r.base, r.seed): x for r, x in found.items() if (r.row, r.leap) == (claim.row, claim.leap)}
    if claim.against is None:
        return {key: x.scores[claim.column] - bases[key[0]].scores[claim.column] for key, x in mine.items()}
    theirs = {(r.base, r.seed): x for r, x in found.items() if (r.row, r.leap) == (claim.against, claim.leap)}
    return {key: x.scores[claim.column] - theirs[key].scores[claim.column] for key, x in mine.items() if key in theirs}


def mean_by_base(values: dict[tuple[int, int], float], bases: Sequence[int]) -> list[float]:
    """The mean difference of each base."""
    return [fmean(value for (base, _), value in values.items() if base == one) for one in bases]


def interval(values: Sequence[float]) -> tuple[float, float, float]:
    """(mean, low, high): 95 % by Student's t over runs."""
    mean, half = fmean(values), standard_error(values) * T_95[min(len(values) - 2, len(T_95) - 1)]
    return mean, mean - half, mean + half


def standard_error(values: Sequence[float]) -> float:
    return stdev(values) / sqrt(len(values)) if len(values) > 1 else float("nan")


def verdict(claim: Claim, low: float, high: float, base_means: Iterable[float]) -> str:
    """A sign counts if the interval and the mean of every base have it: runs of one base are not independent."""
    signed = [claim.sign * value for value in (low, high, *base_means)]
    if all(value > 0 for value in signed):
        return "reproduced"
    if all(value < 0 for value in signed):
        return "the opposite holds"
    return "not shown"


def table(found: Results, bases: dict[int, Result], size: Size, leap: float) -> list[str]:
    """Markdown rows: means ± standard errors over bases and seeds."""
    lines = ["| row | runs | learning rate | " + " | ".join(COLUMNS.values()) + " | guided, first → last |"]
    lines.append("|---" * (len(COLUMNS) + 4) + "|")
    scores = [_cell([result.scores[column] for result in bases.values()]) for column in COLUMNS]
    lines.append(f"| base | {len(bases)} | | " + " | ".join(scores) + " | |")
    for row in size.rows:
        runs = {run: result for run, result in found.items() if (run.row, run.leap) == (row, leap)}
        if not runs:
            continue
        rates = ", ".join(f"{rate:g}" for rate in sorted({run.lr for run in runs}))
        scores = [_cell([result.scores[column] for result in runs.values()]) for column in COLUMNS]
        guided = _guided(list(runs.values())) if row.startswith(("micro", "trapo")) else ""
        lines.append(f"| {ROWS[row]} | {len(runs)} | {rates} | " + " | ".join(scores) + f" | {guided} |")
    return lines


def _guided(runs: Sequence[Result]) -> str:
    """Of a row with guidance only: a run of it without the curve is broken, and ends in a KeyError."""
    return " → ".join(f"{fmean(x.curves[f'{which} guided/share'] for x in runs):.2f}" for which in ("first", "last"))


def _cell(values: Sequence[float]) -> str:
    return f"{fmean(values):.3f}" + (f" ± {standard_error(values):.3f}" if len(values) > 1 else "")


def claims(found: Results, bases: dict[int, Result], size: Size) -> list[str]:
    columns = ["statement", "difference, 95 % interval", *(f"base {base}" for base in size.bases), "runs", "verdict"]
    lines = [_row(columns), "|---" * len(columns) + "|"]
    for claim in CLAIMS:
        if claim.row not in size.rows or (claim.against and claim.against not in size.rows):
            continue
        values = differences(claim, found, bases)
        if len(values) < 2:
            continue
        mean, low, high = interval(list(values.values()))
        base_means = mean_by_base(values, size.bases)
        cells = [f"{claim.text} ({COLUMNS[claim.column]})", f"{mean:+.3f} [{low:+.3f}, {high:+.3f}]"]
        cells += [f"{value:+.3f}" for value in base_means]
        lines.append(_row([*cells, str(len(values)), verdict(claim, low, high, base_means)]))
    return lines


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def by_base(found: Results, size: Size) -> list[str]:
    """The same means for each base apart, so that one base cannot hide behind another."""
    lines = [
        "| row | " + " | ".join(f"base {base}" for base in size.bases) + " |",
        "|---" * (len(size.bases) + 1) + "|",
    ]
    for row in size.rows:
        cells = []
        for base in size.bases:
            runs = [x for run, x in found.items() if (run.row, run.base, run.leap) == (row, base, LEAP)]
            cells.append(_cell([x.scores["chains avg@8"] for x in runs]))
        lines.append(f"| {ROWS[row]} | " + " | ".join(cells) + " |")
    return lines


def frontier(found: Results, bases: dict[int, Result], size: Size, path: Path) -> None:
    """Chains against facts: what was learned against what was forgotten, every run a dot, every row a mean."""
    from matplotlib.figure import Figure  # noqa: PLC0415 - an extra, needed for pictures only

    figure = Figure(figsize=(7.5, 5.2), layout="constrained")
    axes = figure.subplots()
    for number, row in enumerate(size.rows):
        runs = [x for run, x in found.items() if (run.row, run.leap) == (row, LEAP)]
        x = [result.scores["facts avg@1"] for result in runs]
        y = [result.scores["chains avg@8"] for result in runs]
        looks: dict[str, Any] = {"color": f"C{number}", "marker": "osD^vP<>X"[number]}
        axes.scatter(x, y, s=14, alpha=0.45, **looks)
        axes.scatter([fmean(x)], [fmean(y)], s=90, edgecolor="black", linewidth=0.8, label=ROWS[row], zorder=3, **looks)
    x = [result.scores["facts avg@1"] for result in bases.values()]
    y = [result.scores["chains avg@8"] for result in bases.values()]
    axes.scatter(x, y, marker="*", s=140, color="black", label="base", zorder=3)
    axes.set_xlabel("facts, never trained (greedy)  →  less forgotten")
    axes.set_ylabel("chains, trained (avg@8)  →  more learned")
    axes.set_title("Learned against forgotten; small dots: runs, large: means")
    axes.grid(alpha=0.25)
    axes.legend(fontsize=8, loc="lower left")
    figure.savefig(path, dpi=150)
