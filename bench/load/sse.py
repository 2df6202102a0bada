"""How long news takes from the commit of its row to two hundred clients."""

import asyncio
import time

from bench.load.figures import Figure, milliseconds
from bench.load.listeners import Listener
from bench.load.service import SPEC, Service, serving
from runs.db import writing
from runs.life import store
from runs.life.transitions import append_event

CLIENTS, PER_S, SECONDS = 200, 10.0, 30.0


def measure(database: str, clients: int = CLIENTS, seconds: float = SECONDS) -> list[Figure]:
    with serving(database) as service:
        delays, wrong = asyncio.run(_tell(service, clients, int(seconds * PER_S)))
    what = f"news to {clients} clients, from its commit to receipt, {PER_S:g}/s for {seconds:g} s"
    return [
        milliseconds(what, delays, 99, 1000),
        Figure("the same: clients that missed news or got it twice", str(wrong), "0", wrong == 0),
    ]


async def _tell(service: Service, clients: int, count: int) -> tuple[list[float], int]:
    """(every client's wait for every event, clients that did not get each once and in order)."""
    heard: list[tuple[int, float]] = []
    listeners = [Listener(service.url, service.key, lambda seq, at: heard.append((seq, at))) for _ in range(clients)]
    tasks = [asyncio.create_task(listener.listen()) for listener in listeners]
    await asyncio.gather(*(listener.connected.wait() for listener in listeners))
    await asyncio.sleep(1.0)  # until each has been told from where on it listens
    with service.client() as client:
        run_id = client.submit({**SPEC, "name": "rate=1 metrics=1", "steps": 1}).id
    committed: dict[int, float] = {}
    for number in range(count):
        committed |= await asyncio.to_thread(_say, service, run_id, number)
        await asyncio.sleep(1 / PER_S)
    await asyncio.sleep(2.0)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    delays = [at - committed[seq] for seq, at in heard if seq in committed]
    return delays, sum([seq for seq in one.seqs if seq in committed] != sorted(committed) for one in listeners)


def _say(service: Service, run_id: str, number: int) -> dict[int, float]:
    """The number of the event, and when it was there for all to see."""
    with writing(service.engine) as session:
        append_event(session, run_id, "message", {"level": "info", "text": str(number)})
        seq = store.newest_seq(session)
    return {seq: time.time()}
