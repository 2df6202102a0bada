"""From a run's events file to rows: exactly once, whoever dies.

Complete lines from the stored offset become rows in the same transaction that moves the offset on, guarded by the
fence. A resumed attempt supersedes what was written for later steps: older segments are cut off, not deleted.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from sqlalchemy import Engine, or_, select, update
from sqlalchemy.orm import Session

from runs.db import insert_many, insert_new, reading, writing
from runs.errors import LeaseLostError
from runs.life.leases import Lease
from runs.life.transitions import move
from runs.record.curves import flagged
from runs.record.guidance import roll_up_guidance, supersede_guidance
from runs.record.problems import store_visits
from runs.record.rollups import history, roll_up, supersede
from runs.record.summary import Standing, follow_scores, follow_steps
from runs.scores import board
from runs.states import ACTIVE, Desired, State
from runs.tables import (
    AttemptRow,
    Base,
    CheckpointRow,
    EventRow,
    ExpertTokensRow,
    GuidanceRow,
    OutcomeRow,
    PointRow,
    RunRow,
    ScoreRow,
    SegmentRow,
    SeriesRow,
    SettingRow,
)
from trapo_core import events
from trapo_core.events import EVENTS_FILE, parse_event, read_lines

STEP_SECONDS = "time/step_s"
BATCH_BYTES = 1 << 20  # of lines in one transaction: a second or two, for a supervisor has a lease to renew
# Fields of an event that have tables of their own and are too much for a stream.
BULKY = {"guidance": {"problems", "expert_tokens"}, "outcomes": {"right"}}


@dataclass
class Batch:
    """What some lines say, as rows and as new values of the run's row."""

    segment: int
    run: dict[str, Any] = field(default_factory=dict)
    told: list[tuple[float, str, str, int]] = field(default_factory=list)  # ts, type, JSON, file offset
    points: list[tuple[str, int, int, float]] = field(default_factory=list)  # key, segment, step, value
    guidance: list[dict[str, Any]] = field(default_factory=list)
    visits: list[dict[str, Any]] = field(default_factory=list)
    texts: dict[str, str] = field(default_factory=dict)  # of problems
    expert_tokens: list[dict[str, Any]] = field(default_factory=list)
    scores: list[dict[str, Any]] = field(default_factory=list)
    outcomes: list[dict[str, Any]] = field(default_factory=list)
    settings: list[dict[str, Any]] = field(default_factory=list)  # of outcomes
    checkpoints: list[dict[str, Any]] = field(default_factory=list)
    started: list[events.AttemptStarted] = field(default_factory=list)
    ended: events.Ended | None = None
    size_bytes: int = 0  # of the lines; with `BATCH_BYTES` there may be more of them


def ingest(engine: Engine, lease: Lease, run_dir: Path) -> events.Ended | None:
    """Read all that is new. The attempt's goodbye, if this reading met it.

    Raises LeaseLostError, with nothing more written, if the run is no longer ours.
    """
    ended = None
    while (batch := ingest_batch(engine, lease, run_dir)[0]).told:
        ended = batch.ended
    return ended


def ingest_batch(engine: Engine, lease: Lease, run_dir: Path) -> tuple[Batch, Desired]:
    """What is new, or the first `BATCH_BYTES` of it, is stored; beside it what the user wants of the run. Raises as
    `ingest`."""
    with reading(engine) as session:
        row = select(RunRow.events_offset, RunRow.segment, RunRow.step, RunRow.desired)
        offset, segment, step, desired = session.execute(row.where(RunRow.id == lease.run_id)).one()
    lines = list(read_lines(run_dir / EVENTS_FILE, offset, BATCH_BYTES))
    batch = read_batch(lines, segment)
    if lines:
        end = lines[-1][2]
        batch.size_bytes = end - offset
        with writing(engine) as session:
            _store(session, lease, batch, (offset, end), step)
    return batch, Desired(desired)


def read_batch(lines: Iterable[tuple[int, bytes, int]], segment: int) -> Batch:
    """Pure: lines (start, bytes, end) to rows. A line that cannot be understood becomes a message, not an error: the
    run must go on."""
    batch = Batch(segment)
    for start, line, _ in lines:
        try:
            event = parse_event(_without_nul(line))
        except ValidationError as error:
            text = f"A line of {EVENTS_FILE} at byte {start} cannot be understood: {error.errors()[0]['msg']}."
            event = events.Message(level="error", text=text)
        _take(batch, event)
        data = event.model_dump_json(exclude={"ts", "type", *BULKY.get(event.type, ())})
        batch.told.append((event.ts.timestamp(), event.type, data, start))
    return batch


def _without_nul(line: bytes) -> bytes:
    """In JSON a NUL is an escape, behind whole pairs of backslashes if any. PostgreSQL stores none; half a surrogate
    pair, which it does not take either, is no JSON to the parser."""
    if rb"\u0000" not in line:
        return line
    return re.sub(rb"(?<!\\)((?:\\\\)*)\\u0000", rb"\1\\ufffd", line)


def _take(batch: Batch, event: events.Event) -> None:
    match event:
        case events.AttemptStarted():
            batch.segment = event.attempt
            batch.started.append(event)
            batch.ended = None
            batch.run |= {
                "segment": event.attempt,
                "step": max(0, event.resumed_from_step),
                "total_steps": event.total_steps,
                "progress": None,
            }
        case events.Progress():
            batch.run["progress"] = {"stage": event.stage, "done": event.done, "total": event.total, "eta_s": None}
        case events.StepDone():
            batch.run |= {"step": event.step, "progress": None}
            metrics = {STEP_SECONDS: event.seconds, **event.metrics}
            batch.points += [(key, batch.segment, event.step, value) for key, value in metrics.items()]
        case events.GuidanceDone():
            _take_guidance(batch, event)
        case events.BenchmarkScore():
            batch.scores.append({"segment": batch.segment, **event.model_dump(exclude={"ts", "type"})})
        case events.BenchmarkOutcomes():
            batch.outcomes.append({"segment": batch.segment, **board.outcome_values(event)})
            batch.settings.append(board.setting_values(event))
        case events.CheckpointSaved():
            batch.run["stalls"] = 0
            row = event.model_dump(exclude={"ts", "type"})
            batch.checkpoints.append({"segment": batch.segment, "created_at": event.ts, **row})
        case events.Ended():
            batch.ended = event


def _take_guidance(batch: Batch, event: events.GuidanceDone) -> None:
    at = {"segment": batch.segment, "step": event.step}
    batch.guidance.append({**at, **event.model_dump(include={"slots", "prefix_lengths"})})
    if event.problems:
        batch.visits += [{**at, **visit} for visit in _visits(event.problems)]
        batch.texts |= event.problems.texts
    if event.expert_tokens:
        batch.expert_tokens.append({**at, **event.expert_tokens.model_dump()})


def _visits(told: events.ProblemOutcomes) -> Iterable[dict[str, Any]]:
    for place, (problem, ratios, rewards) in enumerate(zip(told.ids, told.ratios, told.rewards, strict=True)):
        yield {
            "problem": problem, "place": place, "samples": told.samples, "ratios": ratios, "rewards": rewards
        }  # fmt: skip


def _store(session: Session, lease: Lease, batch: Batch, span: tuple[int, int], step: int) -> None:
    """`span` is the bytes that were read, `step` the run's before them."""
    offset, end = span
    held = (
        RunRow.id == lease.run_id,
        RunRow.fence == lease.fence,
        RunRow.state.in_(ACTIVE),
        RunRow.events_offset == offset,
    )
    went_on = update(RunRow).where(*held).values(events_offset=end, **batch.run)
    row = session.execute(went_on.returning(RunRow.state, RunRow.total_steps, RunRow.progress, RunRow.summary)).first()
    if row is None:
        raise LeaseLostError(f"Run {lease.run_id} is no longer ours (fence {lease.fence}).")
    state, *standing = row
    for event in batch.started:
        _open_segment(session, lease.run_id, event)
    # An attempt that died before its lines were read may have left them to its successor, who has not spoken yet.
    if state == State.starting and any(event.attempt == lease.attempt for event in batch.started):
        move(session, lease.run_id, State.running, sources=frozenset({State.starting}), fence=lease.fence)
    rows: list[tuple[type[Base], list[dict[str, Any]]]] = [
        (GuidanceRow, batch.guidance),
        (ExpertTokensRow, batch.expert_tokens),
        (ScoreRow, batch.scores),
        (OutcomeRow, batch.outcomes),
        (CheckpointRow, batch.checkpoints),
    ]
    told = [(lease.run_id, *line) for line in batch.told]
    insert_many(session, EventRow, ("run_id", "ts", "type", "data", "file_offset"), told)
    for table, values in rows:
        insert_new(session, table, [{"run_id": lease.run_id, **row} for row in values])
    insert_new(session, SettingRow, batch.settings)
    series_ids = _store_points(session, lease.run_id, batch.points)
    resumed_from = min((event.resumed_from_step for event in batch.started), default=None)
    if batch.visits or resumed_from is not None:
        store_visits(session, lease.run_id, batch.visits, batch.texts, resumed_from)
    past = history(session, lease.run_id)
    if batch.points:
        roll_up(session, past, min([step, *(max(0, event.resumed_from_step) for event in batch.started)]))
        follow_steps(session, past, Standing(*standing), series_ids, min(step for _, _, step, _ in batch.points))
    if batch.guidance:
        steps = [row["step"] for row in batch.guidance]
        roll_up_guidance(session, past, min(steps), max(steps))
    if batch.scores or batch.started:
        run = session.get_one(RunRow, lease.run_id, populate_existing=True)
        board.renew(session, run)
        follow_scores(session, run)


def _open_segment(session: Session, run_id: str, event: events.AttemptStarted) -> None:
    resumed = event.resumed_from_step
    older = update(SegmentRow).where(SegmentRow.run_id == run_id, SegmentRow.segment < event.attempt)
    session.execute(
        older.where(or_(SegmentRow.last_step.is_(None), SegmentRow.last_step > resumed)).values(last_step=resumed)
    )
    supersede(session, run_id, resumed)
    supersede_guidance(session, run_id, resumed)
    insert_new(
        session,
        SegmentRow,
        [{"run_id": run_id, "segment": event.attempt, "first_step": resumed + 1, "last_step": None}],
    )
    attempt = update(AttemptRow).where(AttemptRow.run_id == run_id, AttemptRow.number == event.attempt)
    fresh = resumed < 0  # nothing to resume from: even a score at step 0 will come again
    session.execute(attempt.values(resumed_from_step=None if fresh else resumed))


def _store_points(session: Session, run_id: str, points: list[tuple[str, int, int, float]]) -> dict[str, int]:
    """The ids of the run's series."""
    ids = _series_ids(session, run_id, {key for key, _, _, _ in points})
    rows = [(ids[key], segment, step, *flagged(value)) for key, segment, step, value in points]
    insert_many(session, PointRow, ("series_id", "segment", "step", "value", "flag"), rows)
    return ids


def _series_ids(session: Session, run_id: str, keys: set[str]) -> dict[str, int]:
    if not keys:
        return {}
    query = select(SeriesRow.key, SeriesRow.id).where(SeriesRow.run_id == run_id)
    known = dict(session.execute(query).tuples().all())
    if missing := sorted(keys - known.keys()):
        insert_new(session, SeriesRow, [{"run_id": run_id, "key": key} for key in missing])
        known = dict(session.execute(query).tuples().all())
    return known
