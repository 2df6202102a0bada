"""`Client`: the REST contract (docs/rest.md) as typed, synchronous calls."""

import csv
import json
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from client import models
from client.download import Tell, fetch, nobody, place_of
from client.frames import Columns, Rows
from client.readings import Readings
from client.upload import digest, request_of

GC_TIMEOUT_S = 900.0


class Client(Readings):
    """One service. Raises ApiError when the service says no, Unreachable when it does not answer."""

    # ------------------------------------------------------------------------------------------------- runs

    def submit(
        self, spec: Mapping[str, Any], idempotency_key: str | None = None, *, priority: int = 0
    ) -> models.RunDetail:  # fmt: skip
        """Store a run and queue it. Safe to repeat under the same key, and so a lost answer is asked for again."""
        params, headers = {"priority": priority} if priority else {}, _under(idempotency_key)
        return self.one(models.RunDetail, "POST", "/runs", json=dict(spec), params=params, headers=headers)

    def plan(self, spec: Mapping[str, Any]) -> models.Plan:
        """What the spec would do; nothing is stored."""
        return self.one(models.Plan, "POST", "/runs", json=dict(spec), params={"dry_run": "true"})

    def clone(
        self,
        run_id: str,
        overrides: Mapping[str, Any] | None = None,
        *,
        from_checkpoint: int | None = None,
        priority: int = 0,
        idempotency_key: str | None = None,
    ) -> models.RunDetail:
        """A new run with this one's spec, fields changed by path; perhaps with the weights of the checkpoint of a
        step."""
        body = {"overrides": dict(overrides or {}), "from_checkpoint": from_checkpoint, "priority": priority}
        headers = _under(idempotency_key)
        return self.one(models.RunDetail, "POST", f"/runs/{run_id}/clone", json=body, headers=headers)

    def runs(self, limit: int = 50, **filters: Any) -> Rows[models.Run]:
        """Newest first; `filters` are state, kind, method, tag, name, sweep, archived, deleted, sort and the others of
        docs/rest.md."""
        params = {key: value for key, value in filters.items() if value}
        return Rows(self.pages(models.Run, "/runs", limit, params))

    def get(self, run_id: str) -> models.RunDetail:
        return self.one(models.RunDetail, "GET", f"/runs/{run_id}")

    def cancel(self, run_id: str) -> models.Run:
        return self.one(models.Run, "POST", f"/runs/{run_id}/cancel")

    def pause(self, run_id: str) -> models.Run:
        return self.one(models.Run, "POST", f"/runs/{run_id}/pause")

    def resume(self, run_id: str) -> models.Run:
        """Sent once, like `retry`: a second one would hear that the run already waits."""
        return self.one(models.Run, "POST", f"/runs/{run_id}/resume", once=True)

    def retry(self, run_id: str) -> models.Run:
        return self.one(models.Run, "POST", f"/runs/{run_id}/retry", once=True)

    def archive(self, run_id: str) -> models.Run:
        return self.one(models.Run, "POST", f"/runs/{run_id}/archive")

    def unarchive(self, run_id: str) -> models.Run:
        return self.one(models.Run, "POST", f"/runs/{run_id}/unarchive")

    def delete(self, run_id: str) -> models.Run:
        """Marked as deleted; `undelete` has it back for a while."""
        return self.one(models.Run, "DELETE", f"/runs/{run_id}")

    def undelete(self, run_id: str) -> models.Run:
        return self.one(models.Run, "POST", f"/runs/{run_id}/undelete")

    def change(
        self,
        run_id: str,
        *,
        name: str | None = None,
        tags: Sequence[str] | None = None,
        notes: str | None = None,
        priority: int | None = None,
    ) -> models.RunDetail:
        """What is None stays; `priority` is changed only of a run that is queued or paused."""
        given = {"name": name, "tags": None if tags is None else list(tags), "notes": notes, "priority": priority}
        body = {field: value for field, value in given.items() if value is not None}
        return self.one(models.RunDetail, "PATCH", f"/runs/{run_id}", json=body)

    def import_events(self, lines: Path, idempotency_key: str | None = None) -> models.RunDetail:
        """A run that was made elsewhere, from a file of a header and its events; `client.import_run` makes one of a
        folder. The same lines are the same run, if no other key is given."""
        key = idempotency_key or f"import-{digest(lines)}"
        return self.one(models.RunDetail, "POST", "/imports", **request_of(lines, **{"Idempotency-Key": key}))

    def import_rollouts(self, run_id: str, step: int, lines: Path) -> None:
        """All rollouts of a step of an imported run, a JSON line each."""
        self.send("PUT", f"/imports/{run_id}/rollouts/{step}", **request_of(lines))

    # ----------------------------------------------------------------------------------------------- sweeps

    def sweep(
        self,
        spec: Mapping[str, Any],
        matrix: Mapping[str, Sequence[Any]],
        seeds: Sequence[int] = (),
        *,
        name: str = "",
        priority: int = 0,
        idempotency_key: str | None = None,
    ) -> models.SweepDetail:
        """A run for every combination of the values, which stand by path, and every seed: all of them or none."""
        values = {path: list(several) for path, several in matrix.items()}
        body = {"spec": dict(spec), "matrix": values, "seeds": list(seeds), "name": name, "priority": priority}
        return self.one(models.SweepDetail, "POST", "/sweeps", json=body, headers=_under(idempotency_key))

    def sweeps(self, limit: int = 50, *, archived: bool = False, deleted: bool = False) -> list[models.Sweep]:
        """Newest first; those that are archived or deleted, instead of those that are neither."""
        return list(self.pages(models.Sweep, "/sweeps", limit, {"archived": archived, "deleted": deleted}))

    def get_sweep(self, sweep_id: str) -> models.SweepDetail:
        return self.one(models.SweepDetail, "GET", f"/sweeps/{sweep_id}")

    def cancel_sweep(self, sweep_id: str) -> models.SweepDetail:
        return self.one(models.SweepDetail, "POST", f"/sweeps/{sweep_id}/cancel")

    def archive_sweep(self, sweep_id: str) -> models.SweepDetail:
        """With all its runs, and so the others: refused while one of them waits or runs."""
        return self.one(models.SweepDetail, "POST", f"/sweeps/{sweep_id}/archive")

    def unarchive_sweep(self, sweep_id: str) -> models.SweepDetail:
        return self.one(models.SweepDetail, "POST", f"/sweeps/{sweep_id}/unarchive")

    def delete_sweep(self, sweep_id: str) -> models.SweepDetail:
        """Marked as deleted; `undelete_sweep` has it back for a while."""
        return self.one(models.SweepDetail, "DELETE", f"/sweeps/{sweep_id}")

    def undelete_sweep(self, sweep_id: str) -> models.SweepDetail:
        return self.one(models.SweepDetail, "POST", f"/sweeps/{sweep_id}/undelete")

    # --------------------------------------------------------------------------------------- what a run wrote

    def attempts(self, run_id: str) -> Rows[models.Attempt]:
        return Rows(self.pages(models.Attempt, f"/runs/{run_id}/attempts"))

    def series(self, run_id: str) -> Rows[models.SeriesInfo]:
        return Rows(self.pages(models.SeriesInfo, f"/runs/{run_id}/series"))

    def scores(self, run_id: str) -> Rows[models.Score]:
        return Rows(self.pages(models.Score, f"/runs/{run_id}/scores"))

    def board(self, limit: int = 50, **wanted: Any) -> models.Board:
        """Runs and their scores; `wanted` are baseline, benchmark, run, method, tag, sweep, kind, at, group, published
        and sort of docs/rest.md."""
        params = {key: value for key, value in wanted.items() if value}
        lines: list[models.BoardLine] = []
        settings: dict[str, dict[str, Any]] = {}
        cursor: str | None = None
        while True:
            page = params | {"limit": min(limit - len(lines), 200)} | ({"cursor": cursor} if cursor else {})
            found = self.one(models.Board, "GET", "/benchmarks", params=page)
            lines, settings, cursor = lines + found.data, settings | found.settings, found.next_cursor
            if cursor is None or len(lines) >= limit:
                return found.model_copy(update={"data": lines, "settings": settings})

    def curves(self, run_ids: Sequence[str], keys: Sequence[str], points: int = 1000) -> Columns[models.Curve]:
        """At most `points` buckets each, by run, then by key; `points` has every one."""
        body = {"run_ids": list(run_ids), "keys": list(keys), "points": points}
        found = self.send("POST", "/series:query", json=body).json()["data"]
        return Columns(models.Curve.model_validate(item) for item in found)

    def points(self, run_id: str, keys: Sequence[str] = ()) -> Columns[models.Points]:
        """Every point that counts, exactly; of all series if none is named."""
        return self.patiently(lambda: self._points(run_id, keys))

    def _points(self, run_id: str, keys: Sequence[str]) -> Columns[models.Points]:
        found: dict[str, models.Points] = {}
        with self.opened(f"/runs/{run_id}/points", params={"key": list(keys)}) as answer:
            rows = csv.reader(answer.iter_lines())
            next(rows)
            for key, step, value in rows:
                one = found.get(key) or found.setdefault(key, models.Points(run_id, key, [], []))
                one.steps.append(int(step))
                one.values.append(float(value))
        return Columns(found.values())

    def guidance(
        self, run_id: str, points: int = 400, from_step: int = 0, to_step: int | None = None
    ) -> models.Guidance:  # fmt: skip
        """Neighbouring steps are added up where there are more than `points`, at most 2000."""
        params = {"points": points, "from_step": from_step, **_given(to_step=to_step)}
        return self.one(models.Guidance, "GET", f"/runs/{run_id}/guidance", params=params)

    # ------------------------------------------------------------------------------------------------- logs

    def logs(self, run_id: str, tail_bytes: int = 65_536, attempt: int | None = None) -> str:
        """The end of what an attempt printed, the newest by default."""
        params = {"tail_bytes": tail_bytes, **_given(attempt=attempt)}
        return self.send("GET", f"/runs/{run_id}/logs", params=params).text

    def log_part(
        self, run_id: str, offset: int, limit: int = 65_536, attempt: int | None = None
    ) -> models.LogPart:  # fmt: skip
        """At most `limit` bytes from byte `offset` on. Go on at its `end` until that is its `size`."""
        params = {"offset": offset, "limit": limit, **_given(attempt=attempt)}
        answer = self.send("GET", f"/runs/{run_id}/logs", params=params)
        number, end, size = (int(answer.headers[name]) for name in ("Log-Attempt", "Log-Next", "Log-Size"))
        return models.LogPart(attempt=number, offset=offset, end=end, size=size, text=answer.text)

    def follow_log(
        self, run_id: str, attempt: int | None = None, offset: int | None = None
    ) -> Iterator[models.LogText]:  # fmt: skip
        """What the run prints, through all attempts to come, until it has ended or waits."""
        for event in self.listen(f"/runs/{run_id}/logs/stream", _given(attempt=attempt, offset=offset)):
            if event.event == "end":
                return
            yield models.LogText(**json.loads(event.data))

    # ------------------------------------------------------------------------------------------- checkpoints

    def checkpoints(self, run_id: str) -> list[models.Checkpoint]:
        return list(self.pages(models.Checkpoint, f"/runs/{run_id}/checkpoints"))

    def pin(self, run_id: str, step: int) -> models.Checkpoint:
        """Never deleted while it is pinned."""
        return self.one(models.Checkpoint, "POST", f"/runs/{run_id}/checkpoints/{step}/pin")

    def unpin(self, run_id: str, step: int) -> models.Checkpoint:
        return self.one(models.Checkpoint, "POST", f"/runs/{run_id}/checkpoints/{step}/unpin")

    def promote(self, run_id: str, step: int, alias: str) -> models.Alias:
        """A name for the checkpoint: `{"source": "folder", "path": ALIAS}` is then a spec's model."""
        path = f"/runs/{run_id}/checkpoints/{step}/promote"
        return self.one(models.Alias, "POST", path, json={"alias": alias})

    def aliases(self) -> list[models.Alias]:
        return list(self.pages(models.Alias, "/aliases"))

    def delete_alias(self, alias: str) -> None:
        """The name alone goes; refused while a run that begins with it is not over."""
        self.send("DELETE", f"/aliases/{alias}", once=True)

    def list_models(self) -> list[models.ModelInfo]:
        return list(self.pages(models.ModelInfo, "/models"))

    def list_datasets(self) -> list[models.DatasetInfo]:
        return list(self.pages(models.DatasetInfo, "/datasets"))

    def checkpoint_files(self, run_id: str, step: int) -> list[models.CheckpointFile]:
        return list(self.pages(models.CheckpointFile, f"/runs/{run_id}/checkpoints/{step}/files"))

    def download(self, run_id: str, step: int, folder: Path, tell: Tell = nobody) -> list[Path]:
        """The files of a checkpoint. What is there already is checked, what was cut off goes on where it stopped.
        `tell(name, bytes so far, bytes)` is called as they come."""
        return [
            fetch(self, f"/runs/{run_id}/checkpoints/{step}/files/{file.name}", place_of(folder, file.name), file, tell)
            for file in self.checkpoint_files(run_id, step)
        ]

    # ------------------------------------------------------------------------------------------------ events

    def events(self, run_id: str, after: int = 0) -> Iterator[models.RunEvent]:
        """All events of a run so far, in order. The cursor is the last seq, so the list ends at an empty page."""
        while True:
            page = self.send("GET", f"/runs/{run_id}/events", params={"after": after, "limit": 1000}).json()
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
        """Live events; nothing is lost or doubled when a connection breaks."""
        for event in self.listen("/stream", {"run": list(run_ids)}, None if after is None else str(after)):
            yield models.RunEvent.model_validate_json(event.data)

    # -------------------------------------------------------------------------------------------- the service

    def workers(self) -> list[models.WorkerInfo]:
        return list(self.pages(models.WorkerInfo, "/workers"))

    def reasons(self) -> list[models.ReasonInfo]:
        """Why attempts end, and what becomes of the run."""
        return list(self.pages(models.ReasonInfo, "/reasons"))

    def gc(self, dry_run: bool = False) -> models.GcReport:
        """Free what nothing needs any more, or say what that would be. Large folders take a while."""
        return self.one(models.GcReport, "POST", "/gc", params={"dry_run": dry_run}, timeout=GC_TIMEOUT_S)

    def session(self) -> models.Session:
        """Who is asking."""
        return self.one(models.Session, "GET", "/session")

    def login_link(self) -> models.LoginLink:
        """A link that opens the dashboard once."""
        return self.one(models.LoginLink, "POST", "/login-links")

    # --------------------------------------------------------------------------------------------------- keys

    def api_keys(self) -> list[models.ApiKey]:
        return list(self.pages(models.ApiKey, "/api-keys"))

    def make_key(
        self, name: str, scopes: Sequence[str] = ("read", "submit"), expires_in_days: float | None = None
    ) -> models.NewApiKey:
        """No other answer shows the key. So it is sent once, like `rotate_key`: an answer that is lost is lost."""
        body = {"name": name, "scopes": list(scopes), "expires_in_days": expires_in_days}
        return self.one(models.NewApiKey, "POST", "/api-keys", json=body, once=True)

    def rotate_key(self, key_id: str, overlap_s: float = 86_400) -> models.NewApiKey:
        """The key with a new secret; the old one works for `overlap_s` more."""
        return self.one(
            models.NewApiKey, "POST", f"/api-keys/{key_id}/rotate", json={"overlap_s": overlap_s}, once=True
        )

    def delete_key(self, key_id: str) -> None:
        self.send("DELETE", f"/api-keys/{key_id}", once=True)


def _under(idempotency_key: str | None) -> dict[str, str]:
    return {"Idempotency-Key": idempotency_key or uuid.uuid4().hex}


def _given(**params: int | None) -> dict[str, int]:
    return {name: value for name, value in params.items() if value is not None}
