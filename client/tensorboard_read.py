"""TensorBoard's event files, of any trainer, as the events of a run of ours.

Scalars become series; a folder within the folder is put before its tags. Of a step that occurs twice the later value
counts, and a restart takes back what was written from its step on, as in TensorBoard itself. The files know no seconds
of a step: they are the time since the step before, a step.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from client.errors import UsageError
from client.frames import needed
from trapo_core.events import SERIES_KEY_LENGTH, AttemptStarted, Ended, Event, StepDone

PATTERN = "*tfevents*"
LARGEST_STEP = 2**31 - 2
EARLIEST, LATEST = 2 * 86_400.0, 7_000_000_000.0  # seconds since 1970; what lies outside is no time


@dataclass
class Steps:
    """What is known of each step: its values by key, and when it was written."""

    values: dict[int, dict[str, float]] = field(default_factory=dict)
    times: dict[int, float] = field(default_factory=dict)


def event_files(folder: Path) -> list[Path]:
    """In the order in which they were begun, folder by folder."""
    return sorted((path for path in folder.rglob(PATTERN) if path.is_file()), key=lambda path: (path.parent, path.name))


def read(folder: Path) -> list[Event]:
    steps = _steps(folder)
    if not steps.values:
        raise UsageError(f"The TensorBoard files of {folder} hold no scalars.", "Give the folder of a run.")
    return list(_events(steps))


def _events(steps: Steps) -> Iterator[Event]:
    numbers = sorted(steps.values)
    first, last = numbers[0], numbers[-1]
    if first < 0 or last > LARGEST_STEP:
        raise UsageError(f"The files hold steps from {first} to {last}.", f"Steps are from 0 to {LARGEST_STEP}.")
    begin, end = _time(steps.times[first]), _time(steps.times[last])
    resumed = -1 if first == 0 else 0  # some count from 0
    yield AttemptStarted(ts=begin, attempt=1, resumed_from_step=resumed, total_steps=last, pid=0)
    before = numbers[1] if len(numbers) > 1 else first  # so that the first has the pace of the second
    for number in numbers:
        seconds = (steps.times[number] - steps.times[before]) / ((number - before) or 1)
        yield StepDone(
            ts=_time(steps.times[number]), step=number, seconds=max(0.0, seconds), metrics=steps.values[number]
        )
        before = number
    yield Ended(ts=end, outcome="succeeded", step=last, message="TensorBoard files do not say how a run ended.")


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(min(max(seconds, EARLIEST), LATEST), UTC)


def _steps(folder: Path) -> Steps:
    """Of all files together."""
    whole, keys = Steps(), Keys()
    for part in sorted({path.parent for path in event_files(folder)}):
        prefix = "" if part == folder else f"{part.relative_to(folder).as_posix()}/"
        found = _of_folder(sorted(path for path in part.glob(PATTERN) if path.is_file()))
        for step, values in found.values.items():
            into = whole.values.setdefault(step, {})
            into.update({keys.of(prefix + tag): value for tag, value in values.items()})
            whole.times[step] = max(whole.times.get(step, 0.0), found.times[step])
    return whole


def _of_folder(files: Iterable[Path]) -> Steps:
    loader = needed("tensorboard", "tensorboard.backend.event_processing.event_file_loader")
    steps, plugins = Steps(), dict[str, str]()
    for file in files:
        for event in loader.LegacyEventFileLoader(str(file)).Load():
            if event.HasField("session_log") and event.session_log.status == event.session_log.START:
                for step in [step for step in steps.values if step >= event.step]:
                    del steps.values[step], steps.times[step]
            for value in event.summary.value:
                number = _scalar(value, plugins)
                if number is not None:
                    steps.values.setdefault(event.step, {})[value.tag] = number
                    steps.times[event.step] = event.wall_time
    return steps


def _scalar(value: Any, plugins: dict[str, str]) -> float | None:
    """None for what is no scalar. Newer writers put it into a tensor, and say only once what a tag is."""
    kind = value.WhichOneof("value")
    if kind == "simple_value":
        return float(value.simple_value)
    plugin = value.metadata.plugin_data.plugin_name or plugins.get(value.tag, "")
    plugins[value.tag] = plugin
    if kind != "tensor" or plugin != "scalars":
        return None
    return float(needed("tensorboard", "tensorboard.util.tensor_util").make_ndarray(value.tensor).item())


class Keys:
    """Series keys for tags: characters that a key cannot have become _, and no two tags get one key."""

    def __init__(self) -> None:
        self._by_tag: dict[str, str] = {}
        self._taken: set[str] = set()

    def of(self, tag: str) -> str:
        if tag not in self._by_tag:
            plain = key = normal(tag)
            number = 1
            while key in self._taken:
                number += 1
                key = f"{plain[: SERIES_KEY_LENGTH - 5]}_{number}"
            self._taken.add(key)
            self._by_tag[tag] = key
        return self._by_tag[tag]


def normal(tag: str) -> str:
    parts = [re.sub(r"[^A-Za-z0-9_.@:+%=()-]", "_", part) for part in tag.split("/") if part]
    return "/".join(parts)[:SERIES_KEY_LENGTH].strip("/") or "unnamed"
