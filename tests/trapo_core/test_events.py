"""Events: what is written is read back, whoever writes and wherever writing stopped."""

import json
import math
import os
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from trapo_core import events
from trapo_core.events import (
    EVENTS_FILE,
    AttemptStarted,
    BenchmarkOutcomes,
    BenchmarkScore,
    CheckpointSaved,
    Ended,
    Event,
    EventWriter,
    GuidanceDone,
    Message,
    PrefixLengths,
    Progress,
    RolloutsWritten,
    SlotOutcome,
    StepDone,
    StepSkipped,
    parse_event,
    read_events,
    read_lines,
)

SLOT = SlotOutcome(slot=0, ratio=0.2, guided=2, guided_reward=1.0, unguided=6, unguided_reward=2.0)
EVERY_EVENT = [
    AttemptStarted(attempt=1, resumed_from_step=0, total_steps=5, pid=42, versions={"torch": "2"}),
    Progress(stage="base model", done=1, total=2),
    StepDone(step=1, seconds=0.5, metrics={"reward/all": 0.25}),
    GuidanceDone(step=1, slots=[SLOT], prefix_lengths=PrefixLengths(bin_tokens=2, counts=[6, 2])),
    StepSkipped(step=2, in_a_row=1, message="loss is nan"),
    RolloutsWritten(step=1, path="rollouts/1.parquet", rows=8),
    CheckpointSaved(step=1, path="checkpoints/1", bytes=10, sha256="0" * 64),
    BenchmarkOutcomes(
        step=2, benchmark="b", setting={"samples": 2, "temperature": 1.0, "template": "raw"}, problems="ab",
        samples=2, right=[0, 2],
    ),
    BenchmarkScore(
        step=1, benchmark="b", metric="avg@8", score=0.5, low=0.4, high=0.6, confidence=0.95,
        interval="cluster_bootstrap", problems=10, samples=8,
    ),
    Message(level="warning", text="zwei\nZeilen, \u2028 and \"quotes\" \x00 ·"),
    Ended(outcome="stopped", step=1),
]  # fmt: skip


def write(run_dir: Path, *written: Event) -> None:
    writer = EventWriter(run_dir)
    for event in written:
        writer(event)
    writer.close()


def message(text: str) -> Message:
    return Message(level="info", text=text)


# -------------------------------------------------------------------------------------------------------- round trips


def test_every_kind_of_event_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    members = get_args(get_args(Event)[0])
    assert {type(event) for event in EVERY_EVENT} == set(members)
    write(tmp_path, *EVERY_EVENT)
    assert read_events(tmp_path) == EVERY_EVENT


def test_a_line_is_json_that_any_reader_understands(tmp_path: Path) -> None:
    write(
        tmp_path,
        *EVERY_EVENT,
        StepDone(step=1, seconds=1, metrics={"loss": math.nan, "up": math.inf, "down": -math.inf}),
    )
    lines = (tmp_path / EVENTS_FILE).read_bytes().split(b"\n")
    assert lines.pop() == b""

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    parsed = [json.loads(line, parse_constant=refuse) for line in lines]
    assert len(parsed) == len(EVERY_EVENT) + 1
    assert parsed[-1]["metrics"] == {"loss": "NaN", "up": "Infinity", "down": "-Infinity"}


@given(st.dictionaries(st.sampled_from(["loss", "a/b", "ü"]), st.floats(), max_size=5), st.floats(allow_nan=True))
def test_numbers_that_json_lacks_come_back_as_floats(metrics: dict[str, float], seconds: float) -> None:
    event = StepDone(step=1, seconds=seconds, metrics=metrics)
    back = parse_event(event.model_dump_json())
    assert isinstance(back, StepDone)
    assert repr(back.metrics) == repr(metrics)  # repr, because NaN differs from itself
    assert repr(back.seconds) == repr(seconds)


def test_not_a_number_deep_inside_an_event_comes_back_too() -> None:
    slot = SLOT.model_copy(update={"guided_reward": math.nan, "unguided_reward": -math.inf})
    event = GuidanceDone(step=1, slots=[slot], prefix_lengths=PrefixLengths(bin_tokens=1, counts=[8]))
    back = parse_event(event.model_dump_json())
    assert isinstance(back, GuidanceDone)
    assert math.isnan(back.slots[0].guided_reward)
    assert back.slots[0].unguided_reward == -math.inf


def test_events_carry_the_time_in_utc_and_cannot_be_changed() -> None:
    before = datetime.now(UTC)
    event = message("now")
    assert before <= event.ts <= datetime.now(UTC)
    assert parse_event(event.model_dump_json()).ts == event.ts
    with pytest.raises(ValidationError):
        event.text = "later"


@pytest.mark.parametrize(
    "line", [b"", b"{", b"[]", b'{"type": "coffee"}', b'{"type": "message", "level": "info", "text": "x", "more": 1}']
)
def test_a_line_that_is_no_event_is_refused(line: bytes) -> None:
    with pytest.raises(ValidationError):
        parse_event(line)


# ------------------------------------------------------------------------------------------------------------ reading


def test_a_half_written_line_is_not_taken_until_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / EVENTS_FILE
    path.write_bytes(b"one\ntwo\nthr")
    assert list(read_lines(path)) == [(0, b"one", 4), (4, b"two", 8)]
    assert list(read_lines(path, 8)) == []
    with path.open("ab") as file:
        file.write(b"ee\n")
    assert list(read_lines(path, 8)) == [(8, b"three", 14)]


def test_nothing_is_read_from_a_missing_or_empty_file_or_beyond_the_end(tmp_path: Path) -> None:
    assert list(read_lines(tmp_path / "absent")) == []
    assert read_events(tmp_path) == []
    (tmp_path / "empty").touch()
    assert list(read_lines(tmp_path / "empty")) == []
    assert list(read_lines(tmp_path / "empty", 100)) == []


@settings(max_examples=50)
@given(st.lists(st.binary(max_size=12).map(lambda raw: raw.replace(b"\n", b"")), max_size=12), st.integers(1, 40))
def test_reading_on_from_each_end_sees_every_line_once(
    tmp_path_factory: pytest.TempPathFactory, lines: list[bytes], limit: int
) -> None:
    path = tmp_path_factory.mktemp("lines") / EVENTS_FILE
    path.write_bytes(b"".join(line + b"\n" for line in lines) + b"half")
    seen, offset, readings = [], 0, 0
    while portion := list(read_lines(path, offset, limit_bytes=limit)):
        assert portion[0][0] == offset
        assert all(end == start + len(line) + 1 for start, line, end in portion)
        assert sum(end - start for start, _, end in portion[:-1]) < limit
        seen += [line for _, line, _ in portion]
        offset, readings = portion[-1][2], readings + 1
    assert seen == lines
    assert readings <= len(lines)


# ------------------------------------------------------------------------------------------------------------ writing


@settings(max_examples=40)
@given(st.integers(0, 3), st.sampled_from([0, 1, 5, 65_535, 65_536, 65_537, 200_000]))
def test_a_new_writer_cuts_off_half_a_line_and_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, whole: int, tail: int
) -> None:
    run_dir = tmp_path_factory.mktemp("run")
    before = [message(str(number)) for number in range(whole)]
    write(run_dir, *before)
    with (run_dir / EVENTS_FILE).open("ab") as file:
        file.write(b"x" * tail)
    after = message("resumed")
    write(run_dir, after)
    assert read_events(run_dir) == [*before, after]


def test_a_reader_ahead_of_the_cut_stays_in_step(tmp_path: Path) -> None:
    write(tmp_path, message("first"))
    path = tmp_path / EVENTS_FILE
    with path.open("ab") as file:
        file.write(b'{"type": "mess')
    [(_, _, offset)] = read_lines(path)
    write(tmp_path, message("second"))
    [(start, line, _)] = read_lines(path, offset)
    assert start == offset
    assert parse_event(line).text == "second"  # type: ignore[union-attr]


WRITE_MANY = """
import sys
from pathlib import Path
from trapo_core.events import EventWriter, Message
who, count, run_dir = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
writer = EventWriter(run_dir)
(run_dir / f"ready-{who}").touch()
while not (run_dir / "go").exists():
    pass
for number in range(count):
    writer(Message(level="info", text=f"{who} {number} " + who * (number % 50 * 200)))
"""


def test_lines_of_processes_that_write_at_once_are_never_mixed(tmp_path: Path) -> None:
    count = 400
    commands = [[sys.executable, "-c", WRITE_MANY, who, str(count), str(tmp_path)] for who in "ab"]
    writers = [subprocess.Popen(command) for command in commands]
    while not all((tmp_path / f"ready-{who}").exists() for who in "ab"):
        assert all(writer.poll() is None for writer in writers)
        time.sleep(0.01)
    (tmp_path / "go").touch()
    assert [writer.wait(60) for writer in writers] == [0, 0]
    texts = [event.text.split() for event in read_events(tmp_path) if isinstance(event, Message)]
    for who in "ab":
        own = [words for words in texts if words[0] == who]
        assert [int(words[1]) for words in own] == list(range(count))
        assert all("".join(words[2:]) == who * (int(words[1]) % 50 * 200) for words in own)
    assert len(texts) == 2 * count


def test_a_line_the_system_takes_piece_by_piece_is_still_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real_write = os.write
    monkeypatch.setattr(events.os, "write", lambda fd, data: real_write(fd, bytes(data)[:7]))
    write(tmp_path, *EVERY_EVENT)
    assert read_events(tmp_path) == EVERY_EVENT


def test_an_event_is_in_the_file_as_soon_as_it_is_written(tmp_path: Path) -> None:
    writer = EventWriter(tmp_path)
    writer(EVERY_EVENT[0])
    assert read_events(tmp_path) == EVERY_EVENT[:1]
    writer.sync()
    writer.close()
