"""The paper's comparison in the small world: `python -m bench.reproduce [--out DIR] [--processes N] [--short]`.

Makes the bases, chooses a learning rate for every row, runs the reported seeds and the control without leaps, and
writes report.md and frontier.png. Stopped anywhere, it goes on where it stood, with runs half done begun again. About
30 minutes on two cores.
"""

import argparse
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from bench.reproduce import report
from bench.reproduce.plan import LEAP, ROWS, WARM_RATE, Run, Size, base_spec, reported_runs, selection_runs, spec_of
from bench.reproduce.runs import Result, do_all, results

SHORT = Size(
    steps=2, supervised_steps=2, problems=4, grid=(5e-4,), base_steps=20, seeds=(0, 1), rows=("sft", "grpo", "trapo")
)


def main(arguments: list[str] | None = None) -> None:
    options = _options(arguments)
    began = time.monotonic()

    def tell(text: str) -> None:
        print(f"[{timedelta(seconds=int(time.monotonic() - began))}] {text}", flush=True)

    # A folder of its own for the short form, which has the same names of runs: it would undo the full one's.
    out = options.out or Path("runs-local/reproduce-short" if options.short else "runs-local/reproduce")
    reproduce(SHORT if options.short else Size(), out, options.processes, tell)
    tell(f"report: {out / 'report.md'}")


def reproduce(size: Size, out: Path, processes: int, tell: Callable[[str], None]) -> None:
    """All runs that are missing under `out`, then report.md and frontier.png there."""
    began = time.monotonic()

    def run(runs: list[Run]) -> dict[Run, Result]:
        do_all({one.name: spec_of(one, size) for one in runs}, out / "runs", processes, tell)
        found = results([one.name for one in runs], out / "runs")
        return {one: found[one.name] for one in runs}

    tell("bases")
    specs = {f"base{base}": base_spec(base, size) for base in size.bases}
    do_all(specs, out / "runs", processes, tell)
    bases = {base: results([f"base{base}"], out / "runs")[f"base{base}"] for base in size.bases}
    tell("choosing learning rates")
    tried = run(selection_runs(size))
    tell("reported seeds and the control without leaps")
    found = run(reported_runs(size, choose(tried)))
    report.frontier(found, bases, size, out / "frontier.png")
    text = _text(found, tried, bases, size, seconds=time.monotonic() - began)
    (out / "report.md").write_text("\n".join(text) + "\n")


def choose(tried: dict[Run, Result]) -> dict[tuple[int, str], float]:
    """For each base and row the rate with the best score on the problems set apart; ties go to the lower rate."""
    best: dict[tuple[int, str], Run] = {}
    for run in sorted(tried, key=lambda one: one.lr):
        held = best.get((run.base, run.row))
        if held is None or tried[run].scores["choice avg@1"] > tried[held].scores["choice avg@1"]:
            best[run.base, run.row] = run
    return {key: run.lr for key, run in best.items()}


def _text(
    found: dict[Run, Result], tried: dict[Run, Result], bases: dict[int, Result], size: Size, *, seconds: float
) -> list[str]:
    spent = sum(result.seconds for result in [*found.values(), *tried.values(), *bases.values()])
    rates = sorted({run.lr for run in tried})
    lines = [
        "# The paper's comparison in the small world",
        "",
        f"{len(size.bases)} bases × {len(size.seeds)} seeds, {size.steps} steps of 16 problems × 8 samples (SFT:"
        f" {size.supervised_steps} steps of 64 traces), learning rates {', '.join(f'{rate:g}' for rate in rates)} tried"
        " for every row and base on a seed and problems of their own. Means ± standard errors over runs. SFT-then-RL"
        f" trains twice: all of SFT's steps at {WARM_RATE:g}, one of these rates, fixed and not tuned, then all of"
        " GRPO's at the rate chosen.",
        "",
        f"The expert leaps over steps with probability {LEAP}, below the trust region's alpha of 0.1: a choice that"
        " favours TrSFT over plain NLL. The control without leaps stands beside it.",
        "",
        *report.table(found, bases, size, LEAP),
        "",
        "## Each base apart (chains avg@8)",
        "",
        *report.by_base(found, size),
        "",
        "## Control: the expert never leaps",
        "",
        "The rates are those chosen with leaps.",
        "",
        *report.table(found, bases, size, 0.0),
        "",
        "## What is reproduced, and what is not",
        "",
        "Paired by base and seed; 95 % by Student's t over runs, given these bases: runs of one base are alike, so"
        " intervals speak of seeds, not of bases. Hence each base's mean difference beside them; `not shown`: the"
        " interval holds zero, or the bases do not all have its sign.",
        "",
        *report.claims(found, bases, size),
        "",
        "## Rates tried (chains of the choice set, one seed)",
        "",
        "| row | base | " + " | ".join(f"{rate:g}" for rate in rates) + " |",
        "|---" * (len(rates) + 2) + "|",
    ]
    for base in size.bases:
        for row in size.rows:
            cells = [
                f"{result.scores['choice avg@1']:.3f}"
                for run, result in sorted(tried.items())
                if (run.base, run.row) == (base, row)
            ]
            lines.append(f"| {ROWS[row]} | {base} | " + " | ".join(cells) + " |")
    edge = [ROWS[row] for row in size.rows if any(r.row == row and r.lr in (rates[0], rates[-1]) for r in found)]
    lines += ["", f"Chosen at an edge of the grid, perhaps better beyond it: {', '.join(edge) or 'none'}."]
    lines += ["", f"{seconds / 60:.1f} minutes in this call, {spent / 60:.0f} process minutes in all."]
    return lines


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="reproduce", description=__doc__)
    parser.add_argument("--out", type=Path, help="default: runs-local/reproduce, or runs-local/reproduce-short")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument(
        "--short", action="store_true", help="a minute's run of the machinery; its figures mean nothing"
    )
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
