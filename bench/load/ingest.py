"""Points that training processes write under real supervisors, while dashboards watch: how many become rows a second,
how late, and whether any is lost."""

import asyncio
import time

import httpx
from sqlalchemy import func, select

from bench.load.figures import Figure
from bench.load.listeners import Listener
from bench.load.service import SPEC, Service, serving
from runs.db import reading
from runs.life import store
from runs.tables import AttemptRow, EventRow, PointRow, SegmentRow, SeriesRow

RUNS, METRICS, DASHBOARDS, SECONDS = 10, 24, 10, 60.0
PER_STEP = METRICS + 1  # the step's time is one too
OFFERED = 22_000.0  # points a second
TARGET = 20_000
PROBE = "reward/unguided"
KEYS = [PROBE, "guided/share"]  # what a page of the dashboard asks for at first
REFRESH_S, LOOK_S = 5.0, 10.0


def measure(
    database: str, seconds: float = SECONDS, offered: float = OFFERED, dashboards: int = DASHBOARDS, runs: int = RUNS
) -> list[Figure]:
    rate = offered / runs / PER_STEP  # steps a second of each run
    steps = int(rate * seconds)
    with serving(database, slots=runs) as service:
        with service.client() as client:
            spec = {**SPEC, "name": f"rate={rate:.3f} metrics={METRICS}", "steps": steps}
            ids = [client.submit(spec).id for _ in range(runs)]
        seen = asyncio.run(_watch(service, ids, seconds, dashboards))
        with reading(service.engine) as session:
            stored = session.scalar(select(func.count()).select_from(PointRow)) or 0
            told = list(session.scalars(select(EventRow.seq).order_by(EventRow.seq)))
            again = list(session.scalars(select(AttemptRow.reason).where(AttemptRow.number > 1)))
    lost = runs * steps * PER_STEP - stored
    missed = sum(differing(told, listener.seqs) for listener in seen.streams)
    per_s = seen.steps_per_s * PER_STEP
    return [
        Figure(f"points/s ingested while {dashboards} dashboards watch, {seconds:.0f} s",
               f"{per_s:,.0f} of {offered:,.0f} written", f"≥ {TARGET:,}", per_s >= TARGET),
        Figure("the same: all rows there, and in every stream, after the last was due",
               f"{seen.lag_s:.1f} s, {seen.stream_lag_s:.1f} s"),
        Figure("the same: points lost or doubled; events missed or doubled in a stream; second attempts",
               f"{lost}; {missed}; {len(again)}", "0; 0; 0", not (lost or missed or again)),
        Figure(f"the same: {len(seen.answers)} answers to dashboards", f"at most {1000 * max(seen.answers):.0f} ms"),
    ]  # fmt: skip


class Seen:
    """What the dashboards got, and how the rows came in meanwhile."""

    def __init__(self, streams: list[Listener]) -> None:
        self.streams, self.answers = streams, list[float]()
        self.steps_per_s, self.lag_s, self.stream_lag_s = 0.0, 0.0, 0.0


async def _watch(service: Service, ids: list[str], seconds: float, dashboards: int) -> Seen:
    seen = Seen([Listener(service.url, service.key) for _ in range(dashboards)])
    tasks = [asyncio.create_task(listener.listen()) for listener in seen.streams]
    tasks += [asyncio.create_task(_look_around(service, ids, number, seen.answers)) for number in range(dashboards)]
    while await asyncio.to_thread(_segments, service) < len(ids):
        await asyncio.sleep(0.05)
    began, before = time.monotonic(), await asyncio.to_thread(_steps_read, service)
    await asyncio.sleep(0.9 * seconds)  # by then no process is done, the first to start neither
    after = await asyncio.to_thread(_steps_read, service)
    seen.steps_per_s = (after - before) / (time.monotonic() - began)
    while not await asyncio.to_thread(_all_over, service):
        await asyncio.sleep(0.2)
        for task in tasks:
            if task.done():
                task.result()
                raise RuntimeError("a stream ended")
    seen.lag_s = max(0.0, time.monotonic() - began - seconds)
    newest = await asyncio.to_thread(_newest, service)
    while any(stream.seqs[-1] < newest for stream in seen.streams) and time.monotonic() - began < 2 * seconds + 60:
        await asyncio.sleep(0.1)
    seen.stream_lag_s = max(0.0, time.monotonic() - began - seconds)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return seen


async def _look_around(service: Service, ids: list[str], number: int, answers: list[float]) -> None:
    """What the dashboard asks for besides its stream: the list at first, the page of another run now and then, and the
    row of each running run every five seconds."""
    headers = {"Authorization": f"Bearer {service.key}"}
    async with httpx.AsyncClient(base_url=f"{service.url}/api/v1", headers=headers, timeout=60) as client:

        async def ask(method: str, path: str, **body: object) -> None:
            began = time.perf_counter()
            answer = await client.request(method, path, **body)  # type: ignore[arg-type]
            answer.raise_for_status()
            answers.append(time.perf_counter() - began)

        await ask("GET", "/runs?limit=50")
        for turn in range(1_000_000):
            if turn % (LOOK_S // REFRESH_S) == 0:
                run_id = ids[(number + turn) % len(ids)]
                question = {"run_ids": [run_id], "keys": KEYS, "points": 2000}
                page = ["", "/guidance?points=400", "/scores", "/checkpoints", "/attempts"]
                await asyncio.gather(
                    ask("POST", "/series:query", json=question), *(ask("GET", f"/runs/{run_id}{part}") for part in page)
                )
            for run_id in ids:
                await ask("GET", f"/runs/{run_id}")
            await asyncio.sleep(REFRESH_S)


def _newest(service: Service) -> int:
    with reading(service.engine) as session:
        return store.newest_seq(session)


def _segments(service: Service) -> int:
    with reading(service.engine) as session:
        return session.scalar(select(func.count()).select_from(SegmentRow)) or 0


def _steps_read(service: Service) -> int:
    """Of one series of every run: counting all points would be work for the database."""
    rows = select(func.count()).select_from(PointRow).join(SeriesRow, SeriesRow.id == PointRow.series_id)
    with reading(service.engine) as session:
        return session.scalar(rows.where(SeriesRow.key == PROBE)) or 0


def _all_over(service: Service) -> bool:
    with service.client() as client:
        runs = client.runs(200)
    if lost := [f"{run.state}: {run.reason}, {run.message}" for run in runs if run.state in ("failed", "cancelled")]:
        raise RuntimeError(f"runs ended: {lost}")
    return all(run.state == "succeeded" for run in runs)


def differing(told: list[int], got: list[int]) -> int:
    """How far a stream is from what was told since its first event, in events."""
    due = [seq for seq in told if seq >= got[0]] if got else told
    return len(set(due) ^ set(got)) + len(got) - len(set(got)) + (got != sorted(got))
