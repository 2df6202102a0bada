"""When each key was last used, written down once a minute: reading stays free of writing."""

import asyncio
import logging

from fastapi.concurrency import run_in_threadpool
from sqlalchemy import Engine

from runs.access import keys
from runs.db import AWAY, writing

PERIOD_S = 60.0
log = logging.getLogger(__name__)


class KeyUse:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._used: set[str] = set()

    def note(self, key_id: str) -> None:
        self._used.add(key_id)

    def flush(self) -> None:
        used, self._used = self._used, set()
        if not used:
            return
        try:
            with writing(self._engine) as session:
                keys.note_use(session, used)
        except AWAY as error:
            log.warning("The database is away, so last_used_at of %d keys stays as it is: %s", len(used), error)

    async def flush_often(self) -> None:
        while True:
            await asyncio.sleep(PERIOD_S)
            await run_in_threadpool(self.flush)
