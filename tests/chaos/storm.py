"""A user and a weather: runs go on, faults strike by the program, and somebody looks on all the time."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from typing import Any, TextIO

import httpx
from sqlalchemy import select

from runs.db import AWAY, reading
from runs.record import curves
from runs.states import FINAL, State
from runs.tables import AttemptRow, EventRow, PointRow, RunRow, SeriesRow
from tests.chaos.faults import Fault
from tests.chaos.invariants import Attempt, Facts
from tests.chaos.parts import Service
from trapo_core.events import EVENTS_FILE, parse_event, read_lines

TICK_S, LOOK_S = 0.05, 0.25
SEEK_S = 10.0  # a fault waits so long for somebody to hit
RESUMED = ("disk_full", "exit_nonzero", "retry_exhausted")  # what a user resumes after such faults


@dataclass(frozen=True)
class Struck:
    """A fault that hit somebody, and how long until all was well again; None: the next one struck before."""

    at_s: float
    fault: str
    whom: str
    healed_s: float | None

    def __str__(self) -> str:
        return f"{self.at_s:7.1f} s  {self.fault:38} {healing(self.healed_s):>10}  {self.whom}"


@dataclass
class Storm:
    service: Service
    specs: Sequence[dict[str, Any]]  # submitted in this order, `at_once` of them unfinished at any time
    at_once: int
    bound_s: float
    log: TextIO | None = None  # told each fault as it is over
    wrong: list[str] = field(default_factory=list)
    submitted: list[str] = field(default_factory=list)
    struck: list[Struck] = field(default_factory=list)
    ending: bool = False
    looked_at: float = 0.0

    def live_through(self, program: Iterable[tuple[Fault, bool]], random: Random) -> None:
        """All faults, then until every run has ended."""
        began = time.monotonic()
        self._until(self._is_well, datetime.now(UTC))
        for fault, to_be_healed in program:
            self._for(random.uniform(0.3, 1.5))
            struck_at, at = datetime.now(UTC), time.monotonic()
            while (whom := fault.strike(self.service, random)) is None and time.monotonic() - at < SEEK_S:
                self._tick()
                struck_at = datetime.now(UTC)
            healed = self._until(self._is_well, struck_at) if whom and to_be_healed else None
            self._note(Struck(at - began, fault.name, whom or "nobody", healed))
        self.ending = True
        self._until(self._is_over, datetime.now(UTC))

    def _note(self, struck: Struck) -> None:
        self.struck.append(struck)
        if self.log:
            self.log.write(f"{struck}\n")
            self.log.flush()

    def _for(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self._tick()

    def _until(self, fact: Any, since: datetime) -> float:
        began = time.monotonic()
        while not fact(since):
            if time.monotonic() - began > self.bound_s + (60 if self.service.later else 0):
                self.wrong.append(f"not well after {time.monotonic() - began:.0f} s: {self._why(since)}")
                break
            self._tick()
        return time.monotonic() - began

    def _tick(self) -> None:
        self.service.tend()
        if time.monotonic() - self.looked_at > LOOK_S:
            self.looked_at = time.monotonic()
            self._look_for_twins()
            self._be_the_user()
        time.sleep(TICK_S)

    # -------------------------------------------------------------------------------------------------- looking on

    def _look_for_twins(self) -> None:
        """Two looks: a scan takes time, in which one may have ended and the next begun."""
        first = self.service.training_processes()
        if any(len(pids) > 1 for pids in first.values()):
            second = self.service.training_processes()
            for run_id, pids in first.items():
                if len(set(pids) & set(second.get(run_id, []))) > 1:
                    self.wrong.append(f"{run_id} has two processes: {pids}")

    def _is_well(self, since: datetime) -> bool:
        return self._why(since) is None

    def _why(self, since: datetime) -> str | None:
        """All parts live, none is frozen, the api is ready, and every run has taken a step since, or has ended."""
        if self.service.later:
            return "a fault goes on"
        if dead := [part.name for part in self.service.parts.values() if not part.alive]:
            return f"{dead} down"
        try:
            if self._ask("GET", "/readyz").status_code != 200:
                return "the api is not ready"
            with reading(self.service.engine) as session:
                query = select(EventRow.run_id).where(EventRow.type == "step", EventRow.ts > since).distinct()
                moved = set(session.scalars(query))
                waiting = [run.id for run in session.scalars(select(RunRow)) if run.state not in FINAL]
        except (httpx.HTTPError, *AWAY) as error:
            return str(error)
        if len(waiting) < (0 if self.ending else 1):
            return "no run goes on"
        if still := sorted(set(waiting) - moved):
            return f"{still} took no step"
        return None

    def _is_over(self, _: datetime) -> bool:
        try:
            with reading(self.service.engine) as session:
                states = list(session.scalars(select(RunRow.state)))
        except AWAY:
            return False
        return all(state == State.succeeded for state in states) and not self.service.training_processes()

    # ---------------------------------------------------------------------------------------------------- the user

    def _be_the_user(self) -> None:
        """Submits the next run when there is room, and resumes what failed for a fault. Tries again at the next look,
        under the same Idempotency-Key, if the service does not answer."""
        try:
            with reading(self.service.engine) as session:
                rows = list(session.execute(select(RunRow.id, RunRow.state, RunRow.reason)))
            for run_id, state, reason in rows:
                if state == State.failed and reason in RESUMED:
                    self._ask("POST", f"/api/v1/runs/{run_id}/resume")
            going = sum(state not in FINAL for _, state, _ in rows)
            if going < self.at_once and not self.ending and len(self.submitted) < len(self.specs):
                number = len(self.submitted)
                answer = self._ask(
                    "POST", "/api/v1/runs", json=self.specs[number], headers={"Idempotency-Key": f"run {number}"}
                )
                if answer.status_code == 201:
                    self.submitted.append(answer.json()["id"])
                elif answer.status_code < 500:
                    raise AssertionError(answer.text)
        except (httpx.HTTPError, *AWAY):
            return

    def _ask(self, method: str, path: str, headers: dict[str, str] | None = None, **content: Any) -> httpx.Response:
        key_file = self.service.home / "admin-key"
        key = key_file.read_text().strip() if key_file.exists() else ""
        url = f"http://127.0.0.1:{self.service.settings.port}{path}"
        return httpx.request(
            method, url, headers={"Authorization": f"Bearer {key}", **(headers or {})}, timeout=5, **content
        )


def gather(service: Service, run_id: str, weights: bytes, undisturbed: bytes) -> Facts:
    """What rows and files say of a run."""
    path = service.settings.run_dir(run_id) / EVENTS_FILE
    lines = [(start, parse_event(line)) for start, line, _ in read_lines(path, limit_bytes=1 << 40)]
    with reading(service.engine) as session:
        run = session.get_one(RunRow, run_id)
        attempts = session.scalars(select(AttemptRow).where(AttemptRow.run_id == run_id))
        rows = list(session.scalars(select(EventRow).where(EventRow.run_id == run_id)))
        points = session.execute(
            select(SeriesRow.key, PointRow.segment, PointRow.step, PointRow.value)
            .join(PointRow, PointRow.series_id == SeriesRow.id)
            .where(SeriesRow.run_id == run_id)
        )
        return Facts(
            name=f"{run_id} ({run.name})",
            state=run.state,
            total_steps=run.total_steps,
            attempts=[
                Attempt(row.number, row.fence, row.started_at.timestamp(), row.ended_at and row.ended_at.timestamp())
                for row in attempts
            ],
            lines=lines,
            told=[(row.file_offset, row.type) for row in rows if row.file_offset is not None],
            times=[row.ts.timestamp() for row in rows],
            points=[(key, segment, step, value) for key, segment, step, value in points],
            shown_steps=curves.read_curve(session, run_id, "reward/unguided", 100_000).steps,
            weights=weights,
            weights_undisturbed=undisturbed,
        )


def report(database: str, seed: int, struck: Sequence[Struck], attempts: int, runs: int) -> str:
    """Faults in their order, then the time to heal by kind."""
    lines = [f"{len(struck)} faults on {database}, seed {seed}: {runs} runs in {attempts} attempts", ""]
    lines += map(str, struck)
    lines += ["", f"{'fault':38} {'times':>5} {'healed in: median':>18} {'longest':>8}"]
    for fault in sorted({one.fault for one in struck}):
        times = sorted(one.healed_s for one in struck if one.fault == fault and one.healed_s is not None)
        number = sum(one.fault == fault for one in struck)
        middle, longest = (times[len(times) // 2], times[-1]) if times else (None, None)
        lines.append(f"{fault:38} {number:5} {healing(middle):>18} {healing(longest):>8}")
    return "\n".join(lines)


def healing(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds:.1f} s"
