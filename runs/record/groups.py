"""The groups of a run's rollouts: all samples of one problem in one step, found by what they are together.

A group's rows stand together in the file of its step (`rollouts.py`); its id is `<step>-<its first row>`.
"""

import time
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pyarrow.compute as pc
import pyarrow.parquet as pq

from runs.record.rollouts import LAST_ROW, RolloutFilter, cut, enough, kept_steps, matches, path_of, read_cursor

Verdict = Literal["all_right", "all_wrong", "mixed"]
_SAMPLE = ("slot", "sample", "ratio", "reward", "outcome", "advantage", "finish", "prefix_tokens")


@dataclass(frozen=True)
class Kept:
    """Which steps have rollouts: how many, the first and last, and the neighbours of the step that was asked for."""

    count: int
    first: int | None
    last: int | None
    before: int | None
    after: int | None


def kept(run_dir: Path, last_step: int, step: int | None) -> Kept:
    steps = _shown(run_dir, last_step)[::-1]
    if not steps:
        return Kept(0, None, None, None, None)
    at = steps[-1] if step is None else step
    low, high = bisect_left(steps, at), bisect_right(steps, at)
    before = steps[low - 1] if low else None
    return Kept(len(steps), steps[0], steps[-1], before, steps[high] if high < len(steps) else None)


def page(
    run_dir: Path, last_step: int, wanted: RolloutFilter, verdict: Verdict | None, limit: int, cursor: str | None = None
) -> tuple[list[dict[str, Any]], str | None]:
    """Groups with a rollout that is wanted, newest step first, in a step as they were written; and where to go on.

    A page may be short before the last one: see `rollouts.enough`.
    """
    after = read_cursor(cursor) if cursor else (last_step + 1, -1)
    steps = [step for step in _shown(run_dir, last_step) if step <= after[0] and wanted.has_step(step)]
    began = time.monotonic()
    found: list[dict[str, Any]] = []
    for looked, step in enumerate(steps):
        if enough(looked, began):
            return found, f"{step + 1}-{LAST_ROW}"
        with pq.ParquetFile(path_of(run_dir, step)) as file:
            for group in _groups(file, step, wanted, verdict, after[1] if step == after[0] else -1):
                if len(found) == limit:
                    return found, found[-1]["id"]
                found.append(group)
    return found, None


def _shown(run_dir: Path, last_step: int) -> list[int]:
    """Newest first. What a resume will write again is not shown."""
    return [step for step in kept_steps(run_dir) if step <= last_step]


def _groups(
    file: pq.ParquetFile, step: int, wanted: RolloutFilter, verdict: Verdict | None, after_row: int
) -> Iterator[dict[str, Any]]:
    hits = set(matches(file, wanted))
    if not hits:
        return
    lengths = pc.list_value_length(file.read(["token_ids"])["token_ids"])
    table = file.read(["problem", "answer", "prompt", *_SAMPLE]).append_column("tokens", lengths)
    samples = table.select([*_SAMPLE, "tokens"]).to_pylist()
    problems = table["problem"].to_pylist()
    for first, last in _spans(problems, samples):
        rows = range(first, last)
        rewards = [samples[row]["reward"] for row in rows]
        if first <= after_row or hits.isdisjoint(rows) or verdict not in (None, verdict_of(rewards)):
            continue
        yield {
            "id": f"{step}-{first}",
            "step": step,
            "problem": problems[first],
            "prompt": cut(table["prompt"][first].as_py()),
            "answer": table["answer"][first].as_py(),
            "verdict": verdict_of(rewards),
            "samples": [_sample(step, row, samples[row], row in hits) for row in rows],
        }


def _spans(problems: Sequence[str], samples: Sequence[dict[str, Any]]) -> Iterator[tuple[int, int]]:
    """Where groups begin and end. A problem that a step drew twice has two: its samples begin anew."""
    first = 0
    for row in range(1, len(problems) + 1):
        if row < len(problems) and problems[row] == problems[first]:
            here, before = samples[row], samples[row - 1]
            if (here["slot"], here["sample"]) > (before["slot"], before["sample"]):
                continue
        yield first, row
        first = row


def verdict_of(rewards: Sequence[float]) -> Verdict:
    if all(reward == 1 for reward in rewards):
        return "all_right"
    return "all_wrong" if all(reward == 0 for reward in rewards) else "mixed"


def _sample(step: int, row: int, values: dict[str, Any], matched: bool) -> dict[str, Any]:
    own = values.pop("tokens") - values["prefix_tokens"]
    return {"id": f"{step}-{row}", "guided": values["prefix_tokens"] > 0, "completion_tokens": own, **values} | {
        "matches": matched
    }
