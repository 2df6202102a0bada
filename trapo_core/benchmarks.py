"""Benchmarks by name: the file of each, its kind of answer, and the paper's number of samples. Standard library only.

In a spec `{name: aime24}` is filled with the values here; whatever the spec sets itself wins. To add a benchmark, add
a row. The files in the `valid` schema repeat a problem for each of its samples; they are folded to unique problems when
read, and `samples` draws as many answers, each with a seed of its own.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Values = dict[str, Any]

# In these repositories' data/ folders (ALGORITHMS 4.2); neither keeps them on the Hugging Face Hub.
TRAPO_FILES = "github.com/Su-my/TRAPO"
LUFFY_FILES = "github.com/ElliottYan/LUFFY"


@dataclass(frozen=True)
class Known:
    """`values` are fields of a spec's benchmark; `origin` says where its file is to be had; `problems` is how many it
    holds, without repetition, where that is known (ALGORITHMS 4.2)."""

    values: Values
    origin: str = ""
    problems: int | None = None


def _valid(
    path: str, repository: str, *, samples: int = 1, answers: str = "math", problems: int | None = None
) -> Known:
    data = {"format": "valid", "path": f"benchmarks/{path}.parquet", "answers": answers}
    return Known({"data": data, "samples": samples}, f"It is data/valid.{path}.parquet of {repository}.", problems)


KNOWN: Mapping[str, Known] = {
    "aime24": _valid("aime", TRAPO_FILES, samples=32, problems=30),
    "aime25": _valid("aime25", TRAPO_FILES, samples=32, problems=30),
    "amc": _valid("amc", TRAPO_FILES, samples=32, problems=83),
    "math500": _valid("math", TRAPO_FILES, problems=500),
    "minerva": _valid("minerva", TRAPO_FILES, problems=272),
    "olympiadbench": _valid("olympiad_bench", TRAPO_FILES, problems=675),
    "arc_c": _valid("arc_c", LUFFY_FILES, answers="choice", problems=1172),
    "mmlu_pro": _valid("mmlu_pro", LUFFY_FILES, answers="choice"),
    "gpqa": _valid("gpqa", LUFFY_FILES, answers="choice", problems=198),
    # The Hub's copy has the columns of the original file, by its data set card.
    "gsm8k": Known(
        {"data": {"format": "gsm8k", "path": "gsm8k/test.jsonl"}},
        "It is test.jsonl of github.com/openai/grade-school-math; or read it from the Hub by "
        "`data: {hub: openai/gsm8k, path: main/test-00000-of-00001.parquet}`.",
        problems=1319,
    ),
    # For models of the small world, which know no other text.
    "small_world_chains": Known(
        {
            "data": {"format": "small_world", "seed": 1000, "problems": 96, "min_ops": 3, "max_ops": 6},
            "samples": 8, "temperature": 1.0, "max_tokens": 48,
        }
    ),
    "small_world_facts": Known(
        {"data": {"format": "small_world", "task": "facts"}, "temperature": 0.0, "max_tokens": 8}
    ),
}  # fmt: skip


def filled(given: Mapping[str, Any]) -> Values:
    """The fields of a spec's benchmark over those that its name stands for.

    `data` is merged field by field, unless one of the two is of the small world, whose fields are others.
    """
    known = KNOWN.get(str(given.get("name")))
    if known is None:
        return dict(given)
    values = {**known.values, **given}
    data, own = known.values["data"], given.get("data")
    if isinstance(own, Mapping) and _is_made(data) == _is_made({**data, **own}):
        values["data"] = {**data, **own}
    return values


def origin(path: str) -> str:
    """Where the file that a benchmark expects at `path` is to be had; empty for other files."""
    return next((known.origin for known in KNOWN.values() if known.values["data"].get("path") == path), "")


def problems_known(path: str) -> int | None:
    """How many problems the file holds that a benchmark expects at `path`; None for other files."""
    return next((known.problems for known in KNOWN.values() if known.values["data"].get("path") == path), None)


def _is_made(data: Mapping[str, Any]) -> bool:
    return data.get("format") == "small_world"
