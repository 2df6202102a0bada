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
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread
from time import monotonic

from sqlalchemy import Engine

from runs import leases
from runs.db import AWAY, reading, writing
from runs.errors import LeaseLostError
from runs.files import log_path, tail
from runs.ingest import ingest
from runs.leases import Lease, Worker
from runs.settings import Settings
from runs.states import REASONS, Desired
from runs.tables import RunRow
from trapo_core import events
from trapo_core.errors import BusyError
from worker import processes
from worker.gpus import GpuPool

log = logging.getLogger(__name__)
SELF_FENCING = 2 / 3


@dataclass(frozen=True)
class Host:
    """What all attempts on this host share. `stopping` is set when the worker shuts down."""

    engine: Engine
    settings: Settings
    worker: Worker
    gpus: GpuPool
    stopping: Event


@dataclass(frozen=True)
class End:
    """How an attempt ended; `reason` None is success."""

    reason: str | None
    message: str = ""


def attempt(host: Host, run_id: str) -> None:
    """Claim the run and see one attempt through. Returns at once if the run is not to be had."""
    if host.stopping.is_set():
        return
    with _gpus_for(host, run_id) as gpu_ids:
        lease = None if gpu_ids is None else _claim(host, run_id)
        if lease is None or gpu_ids is None:
            return
        log.info("%s: attempt %d begins", run_id, lease.attempt)
        try:
            _Attempt(host, lease, gpu_ids if host.gpus.size else None).see_through()
        except LeaseLostError as error:
            log.warning("%s: attempt %d is over: %s", run_id, lease.attempt, error)


@contextmanager
def _gpus_for(host: Host, run_id: str) -> Iterator[list[str] | None]:
    """The GPUs that the run's spec asks for, held for the time of the attempt; None if they are not free."""
    with reading(host.engine) as session:
        run = session.get(RunRow, run_id)
    taken = host.gpus.take(run.spec["resources"]["gpus"]) if run else None
    try:
        yield taken
    finally:
        host.gpus.give_back(taken or [])


def _claim(host: Host, run_id: str) -> Lease | None:
    with writing(host.engine) as session:
        return leases.claim(session, run_id, host.worker, host.settings.lease_s)


class _Attempt:
    """The process of one attempt and the time of the last renewal."""

    def __init__(self, host: Host, lease: Lease, gpu_ids: list[str] | None) -> None:
        self.host, self.lease, self.gpu_ids = host, lease, gpu_ids
        self.settings = host.settings
        self.run_dir = host.settings.run_dir(lease.run_id)
        self.renewed_at = monotonic()
        self.goodbye: events.Ended | None = None
        self.desired = Desired.run
        self.fenced = False
        self.over = Event()  # of the process, or of our right to it

    def see_through(self) -> None:
        self._end_earlier_processes()
        write_spec(self.run_dir, self.lease)
        # What an attempt before us said and nobody read; its goodbye is not ours.
        ingest(self.host.engine, self.lease, self.run_dir)
        process = processes.start(self.lease, self.run_dir, self.settings, self.gpu_ids)
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
        self._finish(process.returncode)

    def _end_earlier_processes(self) -> None:
        with reading(self.host.engine) as session:
            earlier = leases.earlier_processes(session, self.lease, self.host.worker.host)
        for pid, pid_started_at in earlier:
            if processes.end_earlier(pid, pid_started_at):
                log.warning("%s: killed process %d, left by an earlier attempt", self.lease.run_id, pid)

    def _watch(self, process: subprocess.Popen[bytes]) -> None:
        """Until the process has ended. Raises LeaseLostError if the run is no longer ours."""
        asked_to_stop_at: float | None = None
        while process.poll() is None and not self.fenced:
            self._keep_lease()
            self._read_events()
            if asked_to_stop_at is None and (self.desired is not Desired.run or self.host.stopping.is_set()):
                asked_to_stop_at = monotonic()
                process.send_signal(signal.SIGTERM)
            if asked_to_stop_at is not None and monotonic() - asked_to_stop_at > self.settings.stop_grace_s:
                log.warning("%s: the process did not stop in %g s", self.lease.run_id, self.settings.stop_grace_s)
                processes.kill_group(process.pid)
            _wait(process, self.settings.ingest_s)
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
        except AWAY as error:
            self._survive_for_now(error)

    def _read_events(self) -> None:
        try:
            self.goodbye = ingest(self.host.engine, self.lease, self.run_dir) or self.goodbye
        except AWAY as error:
            self._survive_for_now(error)

    def _survive_for_now(self, error: Exception) -> None:
        """A database that is away for a moment is no reason to stop a training; the fence sees to a longer one."""
        log.warning("%s: the database is away: %s", self.lease.run_id, error)

    def _finish(self, returncode: int) -> None:
        self.goodbye = ingest(self.host.engine, self.lease, self.run_dir) or self.goodbye
        end = how_it_ended(self.goodbye, returncode, self.host.stopping.is_set(), self._last_words())
        with writing(self.host.engine) as session:
            outcome = leases.finish(
                session, self.lease, self.settings, reason=end.reason, message=end.message,
                exit_code=returncode if returncode >= 0 else None, signal=-returncode if returncode < 0 else None,
            )  # fmt: skip
        log.info("%s: attempt %d ended: %s (%s)", self.lease.run_id, self.lease.attempt, outcome.state, outcome.reason)

    def _last_words(self) -> str:
        lines = tail(log_path(self.run_dir, self.lease.attempt), 4096).strip().splitlines()
        return lines[-1][:500] if lines else ""


def how_it_ended(goodbye: events.Ended | None, returncode: int, worker_stopping: bool, last_words: str) -> End:
    """From what the process said and how it exited to a reason. Pure."""
    if goodbye is not None and goodbye.outcome == "succeeded":
        return End(None, goodbye.message)
    if goodbye is not None and goodbye.outcome == "failed":
        known = goodbye.reason if goodbye.reason in REASONS else "exit_nonzero"
        return End(known, goodbye.message or last_words)
    if goodbye is not None or worker_stopping:
        # It stopped because it was asked to; if not by the user (`after_attempt` looks), then by a shutdown.
        return End("worker_stopped", goodbye.message if goodbye else "")
    if returncode == BusyError.exit_status:
        return End(BusyError.reason, last_words)
    if returncode < 0:
        return End("killed_signal", f"Killed by {signal.Signals(-returncode).name}.")
    return End("exit_nonzero", last_words or f"Exit code {returncode} without a word.")


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


def _wait(process: subprocess.Popen[bytes], seconds: float) -> None:
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return
