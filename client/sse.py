"""Server-sent events, as lines in and events out (WHATWG, section 9.2.6). No connection is made here."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

ALIVE = "alive"  # says only that the service is there


@dataclass(frozen=True)
class ServerEvent:
    """`id` is the last id seen, which a reader sends as Last-Event-ID when it connects again."""

    id: str
    event: str
    data: str


def decode(lines: Iterable[str]) -> Iterator[ServerEvent]:
    """Events of one connection. An event that the end of the connection cuts off is not given."""
    last_id, name, data = "", "", list[str]()
    for line in lines:
        if not line:
            if data:
                yield ServerEvent(last_id, name or "message", "\n".join(data))
            name, data = "", []
            continue
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "data":
            data.append(value)
        elif field == "event":
            name = value
        elif field == "id" and "\0" not in value:
            last_id = value
