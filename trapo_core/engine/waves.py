"""The schedule `waves`: all groups of a step move from slot to slot together.

Each group is a coroutine that asks for its samples when it wants them. The engine runs when every group that is not
yet done waits for it; requests are sorted by their `order`, so a batch never depends on who asked first or on how
fast an answer was checked. That makes a step repeatable to the bit.
"""

import asyncio
import time
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

from trapo_core.engine.protocol import Completion, Engine, SampleRequest

Result = TypeVar("Result")


class Waves:
    """An engine that collects requests of all its groups and passes them on in waves."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._waiting: list[tuple[Sequence[SampleRequest], asyncio.Future[list[Completion]]]] = []
        self._running = 0
        self._changed = asyncio.Event()
        self._idle_s = 0.0

    async def sample(self, requests: Sequence[SampleRequest]) -> list[Completion]:
        future: asyncio.Future[list[Completion]] = asyncio.get_running_loop().create_future()
        self._waiting.append((requests, future))
        self._changed.set()
        return await future

    def weights_changed(self) -> None:
        self._engine.weights_changed()

    def take_idle_seconds(self) -> float:
        """Seconds, since the last call, in which the engine waited for answers to be checked."""
        idle_s, self._idle_s = self._idle_s, 0.0
        return idle_s

    async def run(self, groups: Sequence[Coroutine[Any, Any, Result]]) -> list[Result]:
        """Run the group coroutines to their ends; results in their order. The first error cancels the rest."""
        self._running, self._waiting, self._changed = len(groups), [], asyncio.Event()
        try:
            async with asyncio.TaskGroup() as tasks:
                started = [tasks.create_task(self._watched(group)) for group in groups]
                tasks.create_task(self._drive())
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from errors
        return [task.result() for task in started]

    async def _watched(self, group: Coroutine[Any, Any, Result]) -> Result:
        try:
            return await group
        finally:
            self._running -= 1
            self._changed.set()

    async def _drive(self) -> None:
        while self._running:
            if len(self._waiting) == self._running:
                await self._wave()
            else:
                self._changed.clear()
                began = time.monotonic()
                await self._changed.wait()
                self._idle_s += time.monotonic() - began

    async def _wave(self) -> None:
        waiting, self._waiting = self._waiting, []
        waiting.sort(key=lambda entry: entry[0][0].order)
        completions = await self._engine.sample([request for requests, _ in waiting for request in requests])
        begin = 0
        for requests, future in waiting:
            future.set_result(completions[begin : begin + len(requests)])
            begin += len(requests)
        # Let every group take its result before the next look at who waits.
        await asyncio.sleep(0)
