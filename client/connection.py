"""One service over HTTP: requests that are sent again when a connection breaks, pages, and streams that go on."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Self, TypeVar

import httpx
from pydantic import BaseModel

from client import sse
from client.errors import ApiError, Unreachable, Wrong
from client.patience import Patience
from client.places import Place, locate
from client.sse import ALIVE, ServerEvent

Answer = TypeVar("Answer", bound=BaseModel)
Found = TypeVar("Found")

# A service that has answered is being started again; one that never has is probably not there, and that is told soon.
RESTART_S = 10.0
ABSENT_S = 1.5
TIMEOUT = httpx.Timeout(30.0, connect=5.0)
# The service sends a comment at least every 15 s, so a silent minute is a dead connection.
STREAM_TIMEOUT = httpx.Timeout(10.0, read=60.0)
RECONNECT_FOR_S = 90.0
SECOND = 1.0
# The service reads a file once for its sha256 before it sends any of it; who comes meanwhile is to come again.
NOT_YET, NOT_YET_S = "not_yet", 300.0
BUSY = frozenset({429, 502, 503, 504})


class Connection:
    """Raises ApiError when the service says no, Unreachable when it does not answer."""

    def __init__(self, base_url: str, api_key: str) -> None:
        self.base_url = base_url.rstrip("/")
        headers = {"Authorization": f"Bearer {api_key}", "Accept": "application/json"}
        hooks = {"response": [self._note_answer]}
        url = f"{self.base_url}/api/v1"
        self._http = httpx.Client(base_url=url, headers=headers, timeout=TIMEOUT, event_hooks=hooks)
        self._answered = False

    @classmethod
    def from_home(cls, url: str | None = None, api_key: str | None = None) -> Self:
        """The service that options, environment or the files of `trapo up` name."""
        place: Place = locate(url, api_key)
        return cls(place.url, place.api_key)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def one(self, model: type[Answer], method: str, path: str, **request: Any) -> Answer:
        return model.model_validate(self.send(method, path, **request).json())

    def pages(
        self, model: type[Answer], path: str, limit: int | None = None, params: Mapping[str, Any] | None = None
    ) -> Iterator[Answer]:
        """The items of a list, page after page; at most `limit`."""
        cursor, given = None, 0
        while True:
            query = {
                **(params or {}),
                **({"cursor": cursor} if cursor else {}),
                **({"limit": str(min(limit, 200))} if limit else {}),
            }
            page = self.send("GET", path, params=query).json()
            for item in page["data"]:
                if limit is not None and given == limit:
                    return
                yield model.model_validate(item)
                given += 1
            cursor = page.get("next_cursor")
            if not cursor:
                return

    def send(self, method: str, path: str, *, once: bool = False, **request: Any) -> httpx.Response:
        """Sent again while the service is away: most requests ask for a state, or bear a key, and may come twice. One
        that may not (`once`) is sent again only if nothing can have come of it."""
        return self.patiently(lambda: checked(self._http.request(method, path, **request)), once)

    def patiently(self, ask: Callable[[], Found], once: bool = False) -> Found:
        """What `ask` gives in the end, though a restart of the service or its Retry-After comes between."""
        patience = Patience()
        while True:
            try:
                return ask()
            except (httpx.TransportError, Unreachable) as error:
                harmless = not once or isinstance(error, httpx.ConnectError)
                if not (harmless and patience.again(self.patience_s)):
                    raise self._unreachable(error) from error
            except ApiError as error:
                # 429 was said before anything was done; 503 may come in the middle.
                harmless = not once or error.status == httpx.codes.TOO_MANY_REQUESTS
                if not (harmless and comes_again(error, patience)):
                    raise

    @property
    def patience_s(self) -> float:
        """How long a service that does not answer is asked again."""
        return RESTART_S if self._answered else ABSENT_S

    def _note_answer(self, _: httpx.Response) -> None:
        self._answered = True

    def _unreachable(self, error: Exception) -> Unreachable:
        why = str(error) or type(error).__name__
        if self._answered:
            return Unreachable(f"{self.base_url} stopped answering: {why}.", "Try again when it is back.")
        return Unreachable(f"No answer from {self.base_url}: {why}.", "Is it running? `trapo up` starts it.")

    def listen(self, path: str, params: Mapping[str, Any], last_id: str | None = None) -> Iterator[ServerEvent]:
        """Server-sent events, over as many connections as it takes; nothing is lost or doubled between two of them.
        Never ends by itself."""
        give_up_at = None
        while True:
            try:
                headers = {"Accept": "text/event-stream", **({"Last-Event-ID": last_id} if last_id else {})}
                with self.opened(path, params=params, headers=headers, timeout=STREAM_TIMEOUT) as answer:
                    give_up_at = None
                    for event in sse.decode(answer.iter_lines()):
                        last_id = event.id or last_id
                        if event.event != ALIVE:
                            yield event
            except (httpx.TransportError, Unreachable) as error:
                give_up_at = give_up_at or time.monotonic() + RECONNECT_FOR_S
                if time.monotonic() > give_up_at:
                    raise Unreachable(
                        f"{self.base_url} stopped answering: {error}.", "The runs go on; follow them again later."
                    ) from error
            time.sleep(SECOND)

    @contextmanager
    def opened(self, path: str, **request: Any) -> Iterator[httpx.Response]:
        """An answer whose body is still to be read."""
        with self._http.stream("GET", path, **request) as answer:
            if answer.is_error:
                answer.read()
            # A service that is being restarted, or has much to do, may answer so for a moment.
            if answer.status_code in BUSY and _problem(answer).get("code") != NOT_YET:
                raise Unreachable(f"{answer.status_code} {answer.reason_phrase}")
            yield checked(answer)


def missing(base_url: str) -> str:
    """Empty when the service is ready, else what it says is missing. Needs no key."""
    try:
        answer = httpx.get(f"{base_url}/readyz", timeout=TIMEOUT)
    except httpx.TransportError as error:
        return str(error) or type(error).__name__
    return "" if answer.is_success else answer.text


def checked(answer: httpx.Response) -> httpx.Response:
    if answer.is_success:
        return answer
    problem = _problem(answer)
    wrong = [Wrong(e["pointer"], e["message"], e.get("hint", "")) for e in problem.get("errors", [])]
    title = problem.get("title", answer.reason_phrase)
    code, detail = problem.get("code", "http_error"), problem.get("detail", "")
    raise ApiError(answer.status_code, code, title, detail, wrong, _retry_after_s(answer))


def comes_again(error: ApiError, patience: Patience) -> bool:
    """Whether the service asked to come again, and that wait is over."""
    within_s = NOT_YET_S if error.code == NOT_YET else RESTART_S
    return error.retry_after_s is not None and patience.again(within_s, error.retry_after_s)


def _problem(answer: httpx.Response) -> dict[str, Any]:
    """Its problem+json; empty if a proxy answered something else."""
    try:
        body = answer.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _retry_after_s(answer: httpx.Response) -> float | None:
    """None if it is no use to ask again; the form with a date is not understood."""
    asked = answer.headers.get("Retry-After", "")
    return float(asked) if asked.isdecimal() and answer.status_code in (429, 503) else None
