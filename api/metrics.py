"""Figures for Prometheus, in its text format 0.0.4: what is counted here, and what the rows say when it asks."""

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from time import monotonic

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from runs.life.figures import Figures

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
METHODS = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"})
PREFIX = "/api/v1"

Labels = Mapping[str, str]
Sample = tuple[str, Labels, float]  # suffix of the name, labels, value


@dataclass
class Requests:
    """Answers by route and status, and how long it took until they began. Of this process, since its start."""

    answers: Counter[tuple[str, str, int]] = field(default_factory=Counter)
    slots: dict[tuple[str, str], list[int]] = field(default_factory=lambda: defaultdict(lambda: [0] * 12))
    seconds: dict[tuple[str, str], float] = field(default_factory=lambda: defaultdict(float))

    def note(self, method: str, route: str, status: int, seconds: float) -> None:
        self.answers[method, route, status] += 1
        self.slots[method, route][bisect_left(BUCKETS_S, seconds)] += 1
        self.seconds[method, route] += seconds


class Measured:
    """Notes every answer when it begins: a stream is answered at once, however long it lasts."""

    def __init__(self, app: ASGIApp, requests: Requests) -> None:
        self.app, self.requests = app, requests

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        begun = monotonic()

        async def send_measured(message: Message) -> None:
            if message["type"] == "http.response.start":
                method = scope["method"] if scope["method"] in METHODS else "other"
                self.requests.note(method, route_of(scope), message["status"], monotonic() - begun)
            await send(message)

        await self.app(scope, receive, send_measured)


def route_of(scope: Scope) -> str:
    """The template and not the path, or the labels would have no end. Empty for what no route has answered."""
    template: str | None = getattr(scope.get("route"), "path", None)
    if template is None:
        return ""
    inside = scope["path"].startswith(f"{PREFIX}/") and not template.startswith(PREFIX)
    return PREFIX + template if inside else template


def render(figures: Figures, requests: Requests, streams: int) -> str:
    """The whole answer."""
    waits = "Seconds since the oldest queued run was queued; 0 if none is."
    conditions = "Workers by condition: well, troubled (alive, but deaf or without disk), silent."
    blocks = [
        _block("trapo_runs", "gauge", "Runs by state; deleted ones are not counted.", _by("state", figures.runs)),
        _block("trapo_queue_length", "gauge", "Runs that wait for a worker.", _one(figures.queued)),
        _block("trapo_queue_oldest_seconds", "gauge", waits, _one(figures.oldest_queued_s)),
        _block("trapo_workers", "gauge", conditions, _by("condition", figures.workers)),
        _block("trapo_disk_free_bytes", "gauge", "Free on the disk of the home.", _one(figures.free_bytes)),
        _block("trapo_events_total", "counter", "Events stored.", _one(figures.events)),
        _block("trapo_stream_clients", "gauge", "Open event streams of this process.", _one(streams)),
        _block("trapo_http_requests_total", "counter", "Answers by route and status.", _answers(requests)),
        _block("trapo_http_seconds", "histogram", "Until an answer began.", _durations(requests)),
    ]
    return "\n".join(line for block in blocks for line in block) + "\n"


def _block(name: str, kind: str, help_text: str, samples: Iterable[Sample]) -> Iterator[str]:
    yield f"# HELP {name} {help_text}"
    yield f"# TYPE {name} {kind}"
    for suffix, labels, value in samples:
        inside = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels.items())
        yield f"{name}{suffix}{{{inside}}} {value:.10g}" if inside else f"{name}{suffix} {value:.17g}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _one(value: float) -> Iterator[Sample]:
    yield "", {}, value


def _by(label: str, values: Mapping[str, int]) -> Iterator[Sample]:
    return (("", {label: name}, value) for name, value in values.items())


def _answers(requests: Requests) -> Iterator[Sample]:
    for (method, route, status), count in sorted(requests.answers.items()):
        yield "", {"method": method, "route": route, "status": str(status)}, count


def _durations(requests: Requests) -> Iterator[Sample]:
    for (method, route), slots in sorted(requests.slots.items()):
        labels, total = {"method": method, "route": route}, 0
        for bound, count in zip([*map(str, BUCKETS_S), "+Inf"], slots, strict=True):
            total += count
            yield "_bucket", labels | {"le": bound}, total
        yield "_sum", labels, requests.seconds[method, route]
        yield "_count", labels, total
