"""`Client`: the REST contract (docs/rest.md) as typed, synchronous calls."""

import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Self, TypeVar

import httpx
from pydantic import BaseModel

from client import models, sse
from client.errors import ApiError, Unreachable, Wrong
from client.places import Place, locate

Answer = TypeVar("Answer", bound=BaseModel)

TRIES = 3
TIMEOUT = httpx.Timeout(30.0, connect=5.0)
# The service sends a comment at least every 15 s, so a silent minute is a dead connection.
STREAM_TIMEOUT = httpx.Timeout(10.0, read=60.0)
RECONNECT_FOR_S = 90.0
SECOND = 1.0


class Client:
    """One service. Raises ApiError when the service says no, Unreachable when it does not answer."""

    def __init__(self, base_url: str, api_key: str) -> None:
        self.base_url = base_url.rstrip("/")
        headers = {"Authorization": f"Bearer {api_key}", "Accept": "application/json"}
        self._http = httpx.Client(base_url=f"{self.base_url}/api/v1", headers=headers, timeout=TIMEOUT)

    @classmethod
    def from_home(cls, url: str | None = None, api_key: str | None = None) -> Self:
        """The service that options, environment or the files of `trapo up` name."""
        place: Place = locate(url, api_key)
        return cls(place.url, place.api_key)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    # ------------------------------------------------------------------------------------------------- runs

    def submit(self, spec: Mapping[str, Any], idempotency_key: str | None = None) -> models.RunDetail:
        """Store a run and queue it. Safe to repeat under the same key, and so a lost answer is asked for again."""
        headers = {"Idempotency-Key": idempotency_key or uuid.uuid4().hex}
        return self._one(models.RunDetail, "POST", "/runs", json=dict(spec), headers=headers)

    def plan(self, spec: Mapping[str, Any]) -> models.Plan:
        """What the spec would do; nothing is stored."""
        return self._one(models.Plan, "POST", "/runs", json=dict(spec), params={"dry_run": "true"})

    def runs(self, limit: int = 50, **filters: str | None) -> list[models.Run]:
        """Newest first; `filters` are state, kind, method, tag."""
        params = {key: value for key, value in filters.items() if value}
        return list(self._pages(models.Run, "/runs", limit, params))

    def get(self, run_id: str) -> models.RunDetail:
        return self._one(models.RunDetail, "GET", f"/runs/{run_id}")

    def cancel(self, run_id: str) -> models.Run:
        return self._one(models.Run, "POST", f"/runs/{run_id}/cancel")

    def pause(self, run_id: str) -> models.Run:
        return self._one(models.Run, "POST", f"/runs/{run_id}/pause")

    def resume(self, run_id: str) -> models.Run:
        return self._one(models.Run, "POST", f"/runs/{run_id}/resume")

    # --------------------------------------------------------------------------------------- what a run wrote

    def attempts(self, run_id: str) -> list[models.Attempt]:
        return list(self._pages(models.Attempt, f"/runs/{run_id}/attempts"))

    def checkpoints(self, run_id: str) -> list[models.Checkpoint]:
        return list(self._pages(models.Checkpoint, f"/runs/{run_id}/checkpoints"))

    def series(self, run_id: str) -> list[models.SeriesInfo]:
        return list(self._pages(models.SeriesInfo, f"/runs/{run_id}/series"))

    def scores(self, run_id: str) -> list[models.Score]:
        return list(self._pages(models.Score, f"/runs/{run_id}/scores"))

    def curves(self, run_ids: Sequence[str], keys: Sequence[str], points: int = 1000) -> list[models.Curve]:
        body = {"run_ids": list(run_ids), "keys": list(keys), "points": points}
        return [
            models.Curve.model_validate(item) for item in self._send("POST", "/series:query", json=body).json()["data"]
        ]

    def guidance(self, run_id: str, points: int = 400) -> models.Guidance:
        return self._one(models.Guidance, "GET", f"/runs/{run_id}/guidance", params={"points": points})

    def logs(self, run_id: str, tail_bytes: int = 65_536) -> str:
        return self._send("GET", f"/runs/{run_id}/logs", params={"tail_bytes": tail_bytes}).text

    def events(self, run_id: str, after: int = 0) -> Iterator[models.RunEvent]:
        """All events of a run so far, in order. The cursor is the last seq, so the list ends at an empty page."""
        while True:
            page = self._send("GET", f"/runs/{run_id}/events", params={"after": after, "limit": 200}).json()
            found = [models.RunEvent.model_validate(item) for item in page["data"]]
            yield from found
            if not found:
                return
            after = found[-1].seq

    def follow(self, run_ids: Sequence[str]) -> Iterator[models.RunEvent]:
        """Every event of these runs, past and to come, until each has ended. Pause is an end too: nothing happens to
        a paused run until somebody resumes it."""
        seen = dict.fromkeys(run_ids, 0)
        states = dict.fromkeys(run_ids, "queued")
        for run_id in run_ids:
            for event in self.events(run_id):
                seen[run_id] = event.seq
                states[run_id] = event.data["state"] if event.type == "run_state" else states[run_id]
                yield event
        # Only now: a run resumed after a pause has older ends in its history.
        going_on = {run_id for run_id in run_ids if states[run_id] not in models.ENDED}
        if going_on:
            yield from self._follow_live(going_on, seen)

    def _follow_live(self, going_on: set[str], seen: Mapping[str, int]) -> Iterator[models.RunEvent]:
        for event in self.stream(sorted(going_on), after=min(seen[run_id] for run_id in going_on)):
            if event.seq <= seen[event.run_id]:
                continue
            yield event
            if event.type == "run_state" and event.data["state"] in models.ENDED:
                going_on.discard(event.run_id)
                if not going_on:
                    return

    def stream(self, run_ids: Sequence[str] = (), after: int | None = None) -> Iterator[models.RunEvent]:
        """Live events, over as many connections as it takes; nothing is lost or doubled between two of them."""
        last_id, give_up_at = None if after is None else str(after), None
        while True:
            try:
                with self._open_stream(run_ids, last_id) as lines:
                    give_up_at = None
                    for event in sse.decode(lines):
                        last_id = event.id or last_id
                        yield models.RunEvent.model_validate_json(event.data)
            except (httpx.TransportError, Unreachable) as error:
                give_up_at = give_up_at or time.monotonic() + RECONNECT_FOR_S
                if time.monotonic() > give_up_at:
                    raise Unreachable(
                        f"{self.base_url} stopped answering: {error}.", "The runs go on; follow them again later."
                    ) from error
            time.sleep(SECOND)

    # -------------------------------------------------------------------------------------------- the service

    def workers(self) -> list[models.WorkerInfo]:
        return list(self._pages(models.WorkerInfo, "/workers"))

    def login_link(self) -> models.LoginLink:
        """A link that opens the dashboard once."""
        return self._one(models.LoginLink, "POST", "/login-links")

    # ------------------------------------------------------------------------------------------------ plumbing

    def _one(self, model: type[Answer], method: str, path: str, **request: Any) -> Answer:
        return model.model_validate(self._send(method, path, **request).json())

    def _pages(
        self, model: type[Answer], path: str, limit: int | None = None, params: dict[str, str] | None = None
    ) -> Iterator[Answer]:
        cursor, given = None, 0
        while True:
            query = {
                **(params or {}),
                **({"cursor": cursor} if cursor else {}),
                **({"limit": str(min(limit, 200))} if limit else {}),
            }
            page = self._send("GET", path, params=query).json()
            for item in page["data"]:
                if limit is not None and given == limit:
                    return
                yield model.model_validate(item)
                given += 1
            cursor = page.get("next_cursor")
            if not cursor:
                return

    def _send(self, method: str, path: str, **request: Any) -> httpx.Response:
        """A read, and a POST that bears a key or asks for a state, may be sent again when the connection breaks."""
        for left in reversed(range(TRIES)):
            try:
                answer = self._http.request(method, path, **request)
            except httpx.TransportError as error:
                if left == 0:
                    raise Unreachable(
                        f"No answer from {self.base_url}: {error}.", "Is it running? `trapo up` starts it."
                    ) from error
                time.sleep(SECOND / 4)
            else:
                return _checked(answer)
        raise AssertionError("unreachable: the last try returns or raises")

    @contextmanager
    def _open_stream(self, run_ids: Sequence[str], last_id: str | None) -> Iterator[Iterator[str]]:
        headers = {"Accept": "text/event-stream", **({"Last-Event-ID": last_id} if last_id is not None else {})}
        params = {"run": list(run_ids)}
        with self._http.stream("GET", "/stream", params=params, headers=headers, timeout=STREAM_TIMEOUT) as answer:
            if answer.is_error:
                answer.read()
            # A service that is being restarted may answer so for a moment.
            if answer.status_code in (502, 503, 504):
                raise Unreachable(f"{answer.status_code} {answer.reason_phrase}")
            yield _checked(answer).iter_lines()


def missing(base_url: str) -> str:
    """Empty when the service is ready, else what it says is missing. Needs no key."""
    try:
        answer = httpx.get(f"{base_url}/readyz", timeout=TIMEOUT)
    except httpx.TransportError as error:
        return str(error) or type(error).__name__
    return "" if answer.is_success else answer.text


def _checked(answer: httpx.Response) -> httpx.Response:
    if answer.is_success:
        return answer
    try:
        body = answer.json()
    except ValueError:
        body = {}
    problem = body if isinstance(body, dict) else {}
    wrong = [Wrong(e["pointer"], e["message"], e.get("hint", "")) for e in problem.get("errors", [])]
    title = problem.get("title", answer.reason_phrase)
    raise ApiError(answer.status_code, problem.get("code", "http_error"), title, problem.get("detail", ""), wrong)
