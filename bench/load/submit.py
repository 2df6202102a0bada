"""Submits at a fixed rate, whatever the answers take: each one's time counts from when it was due."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import httpx
from sqlalchemy import func, select

from bench.load.figures import Figure, milliseconds
from bench.load.service import SPEC, Service, serving
from runs.db import reading
from runs.tables import RunRow

RATE, SECONDS = 50.0, 60.0


def measure(database: str, seconds: float = SECONDS) -> list[Figure]:
    with serving(database) as service:
        # It takes the only slot, so that the others wait: what is measured is submitting, not training.
        service.client().submit({**SPEC, "name": "rate=1 metrics=4", "steps": 1_000_000})
        took = asyncio.run(submit_steadily(service, RATE, seconds))
        with reading(service.engine) as session:
            stored = session.scalar(select(func.count()).select_from(RunRow))
        if stored != (submitted := len(took) + int(RATE) + 1):
            raise RuntimeError(f"{submitted} runs submitted, {stored} stored")
        service.client().cancel(service.client().runs(1, state="running")[0].id)
    return [milliseconds(f"submit, {RATE:g}/s for {seconds:g} s", took, 99, 50)]


async def submit_steadily(service: Service, rate: float, seconds: float) -> list[float]:
    headers = {"Authorization": f"Bearer {service.key}"}
    limits = httpx.Limits(max_connections=100)
    async with httpx.AsyncClient(base_url=service.url, headers=headers, limits=limits, timeout=60) as client:

        async def submit() -> None:
            answer = await client.post("/api/v1/runs", json=SPEC)
            if answer.status_code != 201:
                raise RuntimeError(answer.text)

        await open_loop(submit, rate, int(rate))  # a second that does not count: connections, threads, caches
        return await open_loop(submit, rate, int(rate * seconds))


async def open_loop(ask: Callable[[], Awaitable[None]], rate: float, times: int) -> list[float]:
    """Seconds from when each was due to its answer."""
    began = time.perf_counter() + 0.1

    async def one(number: int) -> float:
        due = began + number / rate
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        await ask()
        return time.perf_counter() - due

    return await asyncio.gather(*(one(number) for number in range(times)))
