"""How soon a wish takes effect on a real training, what it leaves, and how an api that is killed comes back."""

import os
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

import psutil
from safetensors.torch import load_file
from sqlalchemy import select

from bench.load.figures import Figure, spread
from bench.load.service import Service, serving, wait_until
from client.api import Client
from client.connection import missing
from client.errors import ClientError
from client.supervisor import QUICK_DEATH_S
from runs.db import reading, writing
from runs.life.transitions import append_event
from runs.tables import AttemptRow, EventRow

ROUNDS = 5
FAILED_CALLS = "the same: calls of a client that asks all the time and failed"
# Its steps are short; what a wish waits for is the worker's heartbeat, the end of a step and the saving.
TRAINING: dict[str, Any] = {
    "method": "trapo", "model": {"source": "small_world", "steps": 60}, "steps": 100_000, "prompts_per_step": 8,
    "data": {"format": "small_world", "problems": 64, "min_ops": 1, "max_ops": 3}, "sampling": {"max_tokens": 20},
    "checkpoints": {"every_steps": 1000}, "resources": {"gpus": 0, "cpu_threads": 1},
}  # fmt: skip


def measure(database: str, rounds: int = ROUNDS) -> list[Figure]:
    with serving(database, scripted=False) as service, service.client() as client:
        cancelled = [_stop(service, client, client.cancel, "cancelled") for _ in range(rounds)]
        paused, resumed = [], []
        for _ in range(rounds):
            paused.append(_stop(service, client, client.pause, "paused"))
            resumed.append(_resumes_where_it_was(service, client))
        left = _training_processes(service)
        ready, heard, asked = zip(*(_restart(service, client) for _ in range(rounds)), strict=True)
        calls, refused = (sum(counts) for counts in zip(*asked, strict=True))
    return [
        Figure("cancel: from POST to process gone and state", f"{spread(cancelled)} s", "≤ 10 s", max(cancelled) <= 10),
        Figure("pause: the same", f"{spread(paused)} s", "≤ 10 s", max(paused) <= 10),
        Figure("pauses whose checkpoint loads and is resumed", f"{sum(resumed)} of {rounds}", "all", all(resumed)),
        Figure("training processes left over", str(left), "0", left == 0),
        Figure("api killed: from SIGKILL to ready", f"{spread(ready)} s", "≤ 3 s", max(ready) <= 3),
        Figure("the same: streams that resumed without gap or double", f"{sum(heard)} of {rounds}", "all", all(heard)),
        Figure(FAILED_CALLS, f"{refused} of {calls}", "0", refused == 0),
    ]  # fmt: skip


def _stop(service: Service, client: Client, wish: Callable[[str], object], state: str) -> float:
    run_id = client.submit(TRAINING).id
    wait_until(lambda: client.get(run_id).step > 2, 120)
    began = time.monotonic()
    wish(run_id)
    wait_until(lambda: client.get(run_id).state == state and not _training_processes(service), 60)
    return time.monotonic() - began


def _resumes_where_it_was(service: Service, client: Client) -> bool:
    """Of the run that was paused last."""
    run = client.runs(1, state="paused")[0]
    saved = client.checkpoints(run.id)[-1]
    weights = load_file(service.home / "runs" / run.id / saved.path / "model.safetensors")
    client.resume(run.id)
    wait_until(lambda: client.get(run.id).step > saved.step, 120)
    client.cancel(run.id)
    wait_until(lambda: client.get(run.id).state == "cancelled", 60)
    with reading(service.engine) as session:
        steps = session.scalars(select(AttemptRow.resumed_from_step).where(AttemptRow.run_id == run.id)).all()
    return bool(weights) and saved.step == run.step and steps[-1] == saved.step


def _training_processes(service: Service) -> int:
    """Of this service's home, wherever they are in the tree of processes."""
    found = 0
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or []
        found += "trapo_core" in words and any(word.startswith(f"{service.home}/") for word in words)
    return found


def _restart(service: Service, client: Client) -> tuple[float, bool, tuple[int, int]]:
    """(seconds until it is ready again, whether a client's stream has every event once, calls of a client that asks all
    the time and how many of them failed). News go on meanwhile."""
    run_id = client.runs(1)[0].id
    got: list[int] = []
    asked: list[bool] = []
    over = threading.Event()

    def listen() -> None:
        with service.client() as other:
            for event in other.listen("/stream", {"run": run_id, "after": _newest(service)}):
                got.append(int(event.id))
                if '"last"' in event.data:
                    return

    def talk() -> None:
        while not over.wait(0.02):
            _say(service, run_id, "more")

    def ask() -> None:
        with service.client() as other:
            while not over.wait(0.02):
                asked.append(_answers(other, run_id))

    first = _newest(service)
    threads = [threading.Thread(target=listen, daemon=True)] + [threading.Thread(target=t) for t in (talk, ask)]
    for thread in threads:
        thread.start()
    wait_until(lambda: got and asked, 10)
    time.sleep(QUICK_DEATH_S)  # of an api that dies as soon as it is there, `trapo up` waits before the next
    began = time.monotonic()
    os.kill(service.pid("api"), signal.SIGKILL)
    wait_until(lambda: missing(service.url), 5)
    wait_until(lambda: not missing(service.url), 30)
    took = time.monotonic() - began
    time.sleep(2.0)
    over.set()
    for thread in threads[1:]:
        thread.join()
    _say(service, run_id, "last")
    threads[0].join(30)
    with reading(service.engine) as session:
        query = select(EventRow.seq).where(EventRow.run_id == run_id, EventRow.seq > first)
        told = list(session.scalars(query.order_by(EventRow.seq)))
    return took, bool(got) and got == told[told.index(got[0]) :], (len(asked), asked.count(False))


def _answers(client: Client, run_id: str) -> bool:
    try:
        client.get(run_id)
    except ClientError:
        return False
    return True


def _newest(service: Service) -> int:
    with reading(service.engine) as session:
        return session.scalar(select(EventRow.seq).order_by(EventRow.seq.desc()).limit(1)) or 0


def _say(service: Service, run_id: str, text: str) -> None:
    with writing(service.engine) as session:
        append_event(session, run_id, "message", {"level": "info", "text": text})
