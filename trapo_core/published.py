"""Scores that papers print, for the board: numbers without intervals, drawn and graded in ways of their own.

To add a table, add rows. Standard library only.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from trapo_core.benchmarks import KNOWN

TRAPO_TABLE_1 = "arXiv 2512.17636, table 1: Qwen2.5-Math-7B"
COPIED = f"{TRAPO_TABLE_1}; copied there from an earlier paper"
_COLUMNS = ("aime24", "amc", "math500", "minerva", "olympiadbench", "arc_c", "mmlu_pro")


@dataclass(frozen=True)
class Published:
    """`method` is our name of the method, if it is one of ours; scores are shares by benchmark."""

    name: str
    citation: str
    method: str | None
    scores: Mapping[str, float]

    @staticmethod
    def metric_of(benchmark: str) -> str:
        return f"avg@{KNOWN[benchmark].values['samples']}"


def _row(name: str, method: str | None, *percent: float, citation: str = TRAPO_TABLE_1) -> Published:
    return Published(name, citation, method, {b: round(p / 100, 4) for b, p in zip(_COLUMNS, percent, strict=True)})


PUBLISHED = (
    _row("Qwen2.5-Math-7B", None, 11.9, 33.7, 47.0, 12.5, 21.9, 34.5, 23.3),
    _row("Qwen2.5-Math-7B-Instruct", None, 11.3, 48.2, 82.6, 36.8, 39.7, 72.4, 38.3),
    _row("GRPO", "grpo", 24.0, 59.0, 84.0, 39.3, 45.8, 80.5, 47.2),
    _row("PRIME-Zero", None, 17.0, 54.0, 81.4, 39.0, 40.3, 73.3, 32.7, citation=COPIED),
    _row("SimpleRL-Zero", None, 27.0, 54.9, 76.0, 25.0, 34.7, 30.2, 34.5, citation=COPIED),
    _row("OpenReasoner-Zero", None, 16.5, 52.1, 82.4, 33.1, 47.1, 66.2, 58.7, citation=COPIED),
    _row("Oat-Zero", None, 33.4, 61.2, 78.0, 34.6, 43.4, 70.1, 41.7, citation=COPIED),
    _row("SFT", "sft", 27.7, 56.0, 84.8, 38.2, 44.7, 51.5, 33.1),
    _row("SFT-then-RL", "sft_then_rl", 33.5, 62.3, 86.6, 41.2, 47.6, 52.9, 36.1),
    _row("ReLIFT", "relift", 28.2, 64.9, 87.4, 33.8, 52.5, 76.2, 52.5),
    _row("LUFFY", "luffy", 29.4, 65.5, 88.4, 38.2, 56.0, 80.5, 53.0),
    _row("TRAPO", "trapo", 28.3, 66.2, 89.2, 41.5, 57.6, 83.7, 52.8),
)
