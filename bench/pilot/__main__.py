"""The paper's two pilots on a CPU: `python -m bench.pilot [--out DIR]`.

A student between the modes of a Gaussian mixture (Fig. 3) and the optimum of TrSFT on tables (Proposition 1); pictures
and a table of facts go to DIR. The exit status is 1 if a fact does not hold.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from bench.pilot.facts import DECISIVE_STEP, SETTLED_STEP, Fact, markdown, mixture_facts, table_facts
from bench.pilot.mixture import SETTINGS, train
from bench.pilot.plots import Courses, save_mixture, save_overview, save_tables
from bench.pilot.tabular import CASES, minimise

KEPT_STEPS = (0, 50, 100, 1000)


def main(arguments: Sequence[str] | None = None) -> int:
    options = _options(arguments)
    torch.set_num_threads(1)  # the tensors are small: a second thread only waits
    options.out.mkdir(parents=True, exist_ok=True)
    recorded = _recorded(options.steps)
    facts: list[Fact] = []
    courses: dict[str, Courses] = {}
    for setting in SETTINGS:
        trained = {
            loss: train(setting, alpha, seeds=options.seeds, recorded=recorded, kept=KEPT_STEPS)
            for loss, alpha in (("NLL", 0.0), ("TrSFT", setting.alpha))
        }
        courses[setting.name] = trained
        facts += mixture_facts(setting, trained["NLL"], trained["TrSFT"])
        save_mixture(options.out / f"{setting.name}.png", setting, trained)
    tables = [minimise(case, seeds=options.seeds, steps=options.table_steps) for case in CASES]
    facts += table_facts(tables)
    save_tables(options.out / "proposition-1.png", tables)
    if options.overview:
        save_overview(options.overview, SETTINGS[0], courses[SETTINGS[0].name], tables)
    made_with = {"seeds": options.seeds, "mixture steps": options.steps, "table steps": options.table_steps}
    report = markdown(facts, made_with)
    (options.out / "pilot.md").write_text(report, encoding="utf-8")
    print(f"{report}\nPictures and this table: {options.out}/")
    return 0 if all(fact.holds for fact in facts) else 1


def _recorded(last: int) -> list[int]:
    """Often at first, where it is decided."""
    steps = {SETTLED_STEP, DECISIVE_STEP, *range(0, 100, 5), *range(100, last, 10), last}
    return sorted(step for step in steps if step <= last)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.pilot", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("runs-local/pilot"), help="folder for pictures and table")
    parser.add_argument("--overview", type=Path, help="write one picture of it all here as well")
    parser.add_argument("--seeds", type=int, default=8, help="students of each loss, and random starts of each table")
    parser.add_argument("--steps", type=int, default=1000, help="steps of the mixtures, at least 100")
    parser.add_argument("--table-steps", type=int, default=3000, help="steps of the tables")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
