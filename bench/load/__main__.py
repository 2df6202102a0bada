"""The service under load: `python -m bench.load [FIGURE …] [--database sqlite|postgresql] [--out FILE]`.

Each figure starts a service of its own as `trapo up` does, asks over HTTP, and leaves nothing behind. Without names all
of them run, on both databases, about half an hour; the table that is printed is the one for RESULTS.md. `--quick` is
for the programs themselves: seconds instead of minutes, and no figure means anything.
"""

import argparse
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.load import charts, control, ingest, listing, mlflow, overhead, sse, submit
from bench.load.figures import Figure, table
from bench.load.service import DATABASES

FIGURES: dict[str, tuple[Callable[..., list[Figure]], dict[str, Any]]] = {
    "submit": (submit.measure, {"seconds": 2}),
    "ingest": (ingest.measure, {"seconds": 5, "offered": 2000, "dashboards": 2, "runs": 2}),
    "charts": (charts.measure, {"runs": 2, "steps": 5000, "times": 5}),
    "listing": (listing.measure, {"runs": 300, "times": 3}),
    "sse": (sse.measure, {"clients": 20, "seconds": 2}),
    "mlflow": (mlflow.measure, {"steps": (200,), "keys": 5, "rounds": 1}),
    "control": (control.measure, {"rounds": 1}),
    "overhead": (overhead.measure, {"rounds": 2, "turn_s": 2.0}),
}


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("figures", nargs="*", metavar="FIGURE", help=f"any of {', '.join(FIGURES)}; default: all")
    asked.add_argument("--database", choices=DATABASES, action="append", help="repeatable; default: both")
    asked.add_argument("--quick", action="store_true", help="seconds instead of minutes; the figures mean nothing")
    asked.add_argument("--out", type=Path, help="where the table is written too")
    given = asked.parse_args()
    if unknown := set(given.figures) - set(FIGURES):
        asked.error(f"no such figure: {', '.join(sorted(unknown))}")
    text = ""
    for database in given.database or DATABASES:
        found: list[Figure] = []
        for name in given.figures or FIGURES:
            measure, short = FIGURES[name]
            began = time.monotonic()
            found += measure(database, **(short if given.quick else {}))
            sys.stderr.write(f"{database} {name}: {time.monotonic() - began:.0f} s\n")
            for figure in found:
                sys.stderr.write(f"  {figure.row()}\n")
        text += f"\n{database}, {os.cpu_count()} cores\n\n{table(found)}\n"
    print(text)
    if given.out:
        given.out.parent.mkdir(parents=True, exist_ok=True)
        given.out.write_text(text)


if __name__ == "__main__":
    main()
