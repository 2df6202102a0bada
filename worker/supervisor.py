"""One attempt at one run, from claim to end.

The supervisor starts the training process, renews the lease, reads its events file and acts on what the user wants. It
writes under its fence only. If it cannot renew the lease for two thirds of its time it kills the process and says
nothing more: by then another worker may be about to take over.
"""

import json
import logging
import os
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread
from time import monotonic, sleep, thread_time

from sqlalchemy import Engine

from runs.db import AWAY, reading, writing
from runs.errors import LeaseLostError
from runs.files import free_bytes, has_room, log_path, tail
from runs.life import leases
from runs.life.leases import Lease, Worker
from runs.record.ingest import BATCH_BYTES, ingest, ingest_batch
from runs.settings import Settings
from runs.states import Desired
from trapo_core import events
from worker import processes
from worker.endings import End, explained, fallen, how_it_ended, oom_kills

log = logging.getLogger(__name__)
SELF_FENCING = 2 / 3
# What this process does takes a core from the training beside it, and with a thread a core all of that waits. So
# reading takes a hundredth of the time, unless news would come too late; of more than a few steps at once each costs
# something anyway, and to wait saves nothing.
READING_SHARE = 1 / 100
LONGEST_PAUSE_S = 2.0
MUCH_BYTES = 1 << 16
# With less than this nothing useful can be written.
FULL_BELOW_BYTES = 1 << 20


@dataclass(frozen=True)
class Host:
    """What all attempts on this host share. `stopping` is set when the worker shuts down."""

    engine: Engine
    settings: Settings
    worker: Worker
    stopping: Event


def attempt(host: Host, run_id: str | None = None) -> None:
    """Claim the run, or the next that waits, and see one attempt through. Returns at once if none is to be had."""
    lease = _claim(host, run_id)
    if lease is None:
        return
    log.info("%s: attempt %d begins", lease.run_id, lease.attempt)
    try:
        _Attempt(host, lease).see_through()
    except LeaseLostError as error:
        log.warning("%s: attempt %d is over: %s", lease.run_id, lease.attempt, error)


def _claim(host: Host, run_id: str | None) -> Lease | None:
    if host.stopping.is_set():
        return None
    if not has_room(host.settings):
        log.warning("No run is started: the disk of %s is nearly full (TRAPO_MIN_FREE_BYTES)", host.settings.home)
        return None
    with writing(host.engine) as session:
        if run_id is None:
            return leases.claim_next(session, host.worker, host.settings.lease_s)
        return leases.claim(session, run_id, host.worker, host.settings.lease_s)


class _Attempt:
    """The process of one attempt and the time of the last renewal."""

    def __init__(self, host: Host, lease: Lease) -> None:
        self.host, self.lease = host, lease
        self.settings = host.settings
        self.run_dir = host.settings.run_dir(lease.run_id)
        self.renewed_at = monotonic()
        self.goodbye: events.Ended | None = None
        self.desired = Desired.run
        self.asked: str | None = None  # why the worker told the process to stop, if not by the user's wish
        self.pause_s = 0.0  # until the next look
        self.away = False  # the database, and we have said so
        self.fenced = False
        self.over = Event()  # of the process, or of our right to it

    def see_through(self) -> None:
        try:
            self._see_through()
        except (LeaseLostError, *AWAY):
            raise
        except Exception as error:
            # Whatever it was: the run shall not wait for the lease's end, nor its user guess.
            log.exception("%s: attempt %d: the worker failed", self.lease.run_id, self.lease.attempt)
            self._close(fallen(error), None)

    def _see_through(self) -> None:
        self._end_earlier_processes()
        write_spec(self.run_dir, self.lease)
        # What an attempt before us said and nobody read; its goodbye is not ours.
        ingest(self.host.engine, self.lease, self.run_dir)
        oom_kills_before = oom_kills()
        gpu_ids = self.lease.gpu_ids if self.host.worker.gpus else None
        process = processes.start(self.lease, self.run_dir, self.settings, gpu_ids)
        try:
            with writing(self.host.engine) as session:
                leases.record_process(session, self.lease, process.pid, processes.started_at(process.pid))
            Thread(target=self._fence, args=(process,), name="fence", daemon=True).start()
            self._watch(process)
        finally:
            self.over.set()
            # Also on the way out of an error: nothing that we started outlives us.
            processes.kill_group(process.pid)
            process.wait()
            if process.stdin:
                process.stdin.close()
        self._finish_patiently(process.returncode, oom_kills_before)

    def _end_earlier_processes(self) -> None:
        with reading(self.host.engine) as session:
            earlier = leases.earlier_processes(session, self.lease, self.host.worker.host)
        for pid, pid_started_at in earlier:
            if processes.end_earlier(pid, pid_started_at):
                log.warning("%s: killed what process %d of an earlier attempt left", self.lease.run_id, pid)

    def _watch(self, process: subprocess.Popen[bytes]) -> None:
        """Until the process has ended. Raises LeaseLostError if the run is no longer ours."""
        max_duration_s = self.lease.spec["resources"].get("max_duration_s") or float("inf")
        started_at = monotonic()
        asked_to_stop_at: float | None = None
        ended = processes.end_of(process)
        while process.poll() is None and not self.fenced:
            self._keep_lease()
            self._look()
            if self.asked is None and self.host.stopping.is_set():
                self.asked = "worker_stopped"
            if asked_to_stop_at is None and monotonic() - started_at > max_duration_s:
                self.asked = self.asked or "max_duration"
            if asked_to_stop_at is None and (self.asked or self.desired is not Desired.run):
                asked_to_stop_at = monotonic()
                process.send_signal(signal.SIGTERM)
            if asked_to_stop_at is not None and monotonic() - asked_to_stop_at > self.settings.stop_grace_s:
                log.warning("%s: the process did not stop in %g s", self.lease.run_id, self.settings.stop_grace_s)
                processes.kill_group(process.pid)
            ended.wait(self.pause_s)
        if self.fenced:
            raise LeaseLostError("The lease could not be renewed in time.")

    def _fence(self, process: subprocess.Popen[bytes]) -> None:
        """A thread of its own, because the one that renews may be waiting for a database that does not answer."""
        patience = self.settings.lease_s * SELF_FENCING
        while not self.over.wait(self.settings.lease_s / 20):
            if monotonic() - self.renewed_at > patience:
                log.warning("%s: the lease could not be renewed; killing the process", self.lease.run_id)
                self.fenced = True
                processes.kill_group(process.pid)
                return

    def _keep_lease(self) -> None:
        if monotonic() - self.renewed_at < self.settings.heartbeat_s:
            return
        asked_at = monotonic()
        try:
            with writing(self.host.engine) as session:
                self.desired = leases.renew(session, self.lease, self.settings.lease_s)
            self.renewed_at = asked_at
            if self.away:
                log.info("%s: the database is back", self.lease.run_id)
            self.away = False
        except AWAY as error:
            self._survive_for_now(error)

    def _look(self) -> None:
        begun_s = thread_time()
        self.pause_s = self.settings.ingest_s
        try:
            batch, self.desired = ingest_batch(self.host.engine, self.lease, self.run_dir)
            self.goodbye = batch.ended or self.goodbye
            self.pause_s = pause_after(batch.size_bytes, thread_time() - begun_s, self.settings)
        except AWAY as error:
            self._survive_for_now(error)

    def _survive_for_now(self, error: Exception) -> None:
        """A database that is away for a moment is no reason to stop a training; the fence sees to a longer one."""
        if not self.away:
            log.warning("%s: the database is away: %s", self.lease.run_id, error)
        self.away = True

    def _finish_patiently(self, returncode: int, oom_kills_before: int | None) -> None:
        """A database that is away just now must not cost another attempt, while the run is surely ours."""
        while True:
            try:
                return self._finish(returncode, oom_kills_before)
            except AWAY as error:
                if monotonic() - self.renewed_at > self.settings.lease_s * SELF_FENCING:
                    raise
                self._survive_for_now(error)
                sleep(self.settings.ingest_s)

    def _finish(self, returncode: int, oom_kills_before: int | None) -> None:
        self.goodbye = ingest(self.host.engine, self.lease, self.run_dir) or self.goodbye
        asked = self.asked or ("worker_stopped" if self.host.stopping.is_set() else None)
        end = how_it_ended(self.goodbye, returncode, asked, self._last_words())
        end = explained(
            end,
            out_of_memory=oom_kills_before is not None and (oom_kills() or 0) > oom_kills_before,
            disk_is_full=free_bytes(self.run_dir) < FULL_BELOW_BYTES,
        )
        self._close(end, returncode)

    def _close(self, end: End, returncode: int | None) -> None:
        """`returncode` None: the process did not end by itself, or could not be started."""
        with writing(self.host.engine) as session:
            outcome = leases.finish(
                session, self.lease, self.settings, reason=end.reason, message=end.message,
                exit_code=returncode if returncode is not None and returncode >= 0 else None,
                signal=-returncode if returncode is not None and returncode < 0 else None,
            )  # fmt: skip
        log.info("%s: attempt %d ended: %s (%s)", self.lease.run_id, self.lease.attempt, outcome.state, outcome.reason)

    def _last_words(self) -> str:
        lines = tail(log_path(self.run_dir, self.lease.attempt), 4096).strip().splitlines()
        return lines[-1][:500] if lines else ""


def pause_after(size_bytes: int, took_s: float, settings: Settings) -> float:
    """Seconds until the next reading, after one of so much that took so much processor time; no lease is renewed
    meanwhile."""
    if size_bytes >= BATCH_BYTES:
        return 0.0
    if size_bytes >= MUCH_BYTES:
        return settings.ingest_s
    return max(settings.ingest_s, min(took_s / READING_SHARE, LONGEST_PAUSE_S, settings.heartbeat_s / 2))


def write_spec(run_dir: Path, lease: Lease) -> None:
    """RUN_DIR/spec.json, once; readable by the service's user only."""
    run_dir.mkdir(parents=True, exist_ok=True)
    path = run_dir / "spec.json"
    if path.exists():
        return
    temporary = run_dir / f".spec.{lease.fence}"
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(lease.spec, file, indent=2)
    temporary.rename(path)
