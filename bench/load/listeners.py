"""Many readers of GET /stream in one event loop, each as cheap as can be: what is measured is the service."""

import asyncio
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

SEQ = re.compile(rb"^id: (\d+)\r?$", re.MULTILINE)
Heard = Callable[[int, float], None]


@dataclass
class Listener:
    """One client. It keeps the numbers of the events that it got, in order, and tells each to `heard` with its time."""

    url: str
    key: str
    heard: Heard | None = None
    seqs: list[int] = field(default_factory=list)
    connected: asyncio.Event = field(default_factory=asyncio.Event)

    async def listen(self, after: int | None = None) -> None:
        """Until cancelled, or the connection ends."""
        place = urlsplit(self.url)
        reader, writer = await asyncio.open_connection(place.hostname, place.port)
        path = "/api/v1/stream" + ("" if after is None else f"?after={after}")
        head = f"GET {path} HTTP/1.1\r\nHost: {place.netloc}\r\nAuthorization: Bearer {self.key}\r\n\r\n"
        try:
            writer.write(head.encode())
            status = await reader.readuntil(b"\r\n\r\n")
            if b" 200 " not in status.split(b"\r\n", 1)[0]:
                raise RuntimeError(status.decode())
            self.connected.set()
            rest = b""
            while size := int(await reader.readuntil(b"\r\n"), 16):
                rest = self._take(rest + (await reader.readexactly(size + 2))[:-2])
        finally:
            writer.close()

    def _take(self, text: bytes) -> bytes:
        """All whole events; what remains is the beginning of one."""
        whole, _, rest = text.rpartition(b"\n\n")
        at = time.time()
        for found in SEQ.finditer(whole):
            seq = int(found[1])
            self.seqs.append(seq)
            if self.heard:
                self.heard(seq, at)
        return rest
