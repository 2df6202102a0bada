"""`trapo up`: the whole service on this machine, as one supervisor with broker, api and worker as its children."""

import fcntl
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import webbrowser
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from client import broker as brokers
from client import commands, places
from client.api import Client
from client.connection import missing
from client.display import print_results
from client.errors import ClientError, UsageError
from client.logs import tail
from client.options import Overrides, progress_console
from client.specfile import NamedSpec, read_specs
from client.supervisor import Child, Supervisor
from client.watch import INTERRUPTED, exit_status
from client.watch import follow as watch

# -P: what is started is what is installed, whatever lies in the present folder.
PYTHON = (sys.executable, "-P", "-m")
BROKER_START_S = 20.0
READY_S = 90.0
# A worker lets its runs finish a step and save; the service's own grace for that is two minutes.
WORKER_PATIENCE_S = 180.0


def up(
    port: Annotated[int, typer.Option(envvar="TRAPO_PORT", min=0, max=65_535, help="0 takes a free one.")] = 8000,
    home: Annotated[
        Path | None, typer.Option(help="Where all of it lives (TRAPO_HOME).", show_default="~/.trapo")
    ] = None,
    slots: Annotated[int | None, typer.Option(min=1, help="Runs at once.", show_default="1")] = None,
    submit: Annotated[
        list[Path] | None, typer.Option(metavar="SPEC", help="Submit these specs and show their progress.")
    ] = None,
    overrides: Overrides = None,
    exit_after: Annotated[
        bool, typer.Option("--exit", help="With --submit: stop after the result, with its exit status.")
    ] = False,
    open_browser: Annotated[bool, typer.Option("--open", help="Open the dashboard in a browser.")] = False,
) -> None:
    """Start everything on this machine: broker, service, worker, dashboard."""
    if exit_after and not submit:
        raise UsageError("--exit needs --submit: without runs there is no result to end with.")
    specs = commands.checked(read_specs(submit or (), overrides or ()))
    folder = (home or places.home()).expanduser().absolute()
    console = progress_console(json=False)
    status = 0
    with _terminate_as_interrupt(), _own(folder):
        service = Service(folder, os.environ.get("TRAPO_HOST", "127.0.0.1"), port, slots, console)
        try:
            link = service.start()
            if open_browser:
                webbrowser.open(link)
            status = service.run_specs(specs) if specs else 0
            if not exit_after:
                service.serve()
        except KeyboardInterrupt:
            # Serving ends with Ctrl-C by design; a run that was to end with --exit was interrupted.
            status = INTERRUPTED if exit_after else 0
        finally:
            service.stop()
    raise typer.Exit(status)


class Service:
    """What `trapo up` starts and stops."""

    def __init__(self, home: Path, host: str, port: int, slots: int | None, console: Console) -> None:
        self.home = home
        self.console = console
        self.port = free_port(host, port)
        self.url = f"http://{'127.0.0.1' if host == '0.0.0.0' else host}:{self.port}"
        self.broker = brokers.choose(home, os.environ)
        self.environment = self._environment(host, slots)
        self.supervisor = Supervisor(self._warn, self._note_pids)
        self._client: Client | None = None

    def start(self) -> str:
        """Broker, tables, api, worker, in this order; a link that logs in."""
        self.console.print(f"Starting TRAPO in {escape(str(self.home))} …", highlight=False)
        self._start_broker()
        self._migrate()
        self.supervisor.start(self._child("api", [*PYTHON, "api"]))
        self.supervisor.start(self._child("worker", [*PYTHON, "worker"], WORKER_PATIENCE_S))
        self._client = self._wait_until_ready()
        link = self._client.login_link().url
        self._welcome(link)
        return link

    def run_specs(self, specs: list[NamedSpec]) -> int:
        """Submit, show, and give the exit status of the worst."""
        assert self._client
        views = watch(self._client, list(commands.submitted(self._client, specs)), self.console)
        print_results(self.console, views)
        return exit_status(view.state for view in views)

    def serve(self) -> None:
        """Until Ctrl-C."""
        self.console.print("\nServing. Ctrl-C stops everything; runs save a checkpoint first.")
        threading.Event().wait()

    def stop(self) -> None:
        """Children in reverse order; Ctrl-C again does not wait for checkpoints."""
        if self.supervisor.children:
            self.console.print("Stopping … [dim](runs save a checkpoint; Ctrl-C again does not wait)[/]")
        self.supervisor.stop()
        (self.home / places.SERVICE_FILE).unlink(missing_ok=True)
        place = self.broker.socket
        if place and place.parent != self.home:
            shutil.rmtree(place.parent, ignore_errors=True)

    # ------------------------------------------------------------------------------------------------------------

    def _environment(self, host: str, slots: int | None) -> dict[str, str]:
        ours = {
            "TRAPO_HOST": host,
            "TRAPO_PORT": str(self.port),
            "TRAPO_REDIS_URL": self.broker.url,
            "PYTHONUNBUFFERED": "1",
        }
        if slots is not None:
            ours["TRAPO_SLOTS"] = str(slots)
        return {**places.child_environment(self.home), **ours}

    def _child(self, name: str, command: list[str], patience_s: float = 10.0) -> Child:
        return Child(name, command, self.environment, self._log(name), patience_s)

    def _log(self, name: str) -> Path:
        return self.home / "logs" / f"{name}.log"

    def _start_broker(self) -> None:
        if self.broker.socket is None:
            return
        data = self.home / "redis"
        data.mkdir(exist_ok=True)
        self.broker.socket.unlink(missing_ok=True)
        self.supervisor.start(self._child("redis", self.broker.command(data)))
        deadline = time.monotonic() + BROKER_START_S
        while not brokers.answers(self.broker.socket):
            if self.supervisor.hopeless() or time.monotonic() > deadline:
                raise self._cannot_start("redis")
            time.sleep(0.05)

    def _migrate(self) -> None:
        """Before anything reads the tables."""
        log = self._log("migrate")
        with log.open("wb") as output:
            done = subprocess.run(
                [*PYTHON, "runs.migrate"], env=self.environment, stdout=output, stderr=output, check=False
            )
        if done.returncode != 0:
            raise self._cannot_start("migrate")

    def _wait_until_ready(self) -> Client:
        deadline = time.monotonic() + READY_S
        while why := missing(self.url):
            if child := self.supervisor.hopeless():
                raise self._cannot_start(child.name)
            if time.monotonic() > deadline:
                raise ClientError(f"Not ready after {READY_S:.0f} s: {why}.", f"Logs: {self.home / 'logs'}")
            time.sleep(0.2)
        return Client(self.url, places.kept_key(self.home) or "")

    def _cannot_start(self, name: str) -> ClientError:
        log = self._log(name)
        return ClientError(f"{name} cannot start. The end of {log}:\n\n{tail(log)}\n")

    def _welcome(self, link: str) -> None:
        facts = {"dashboard": self.url, "log in": link, "broker": self.broker.label, "logs": str(self.home / "logs")}
        if self.home != places.default_home():
            facts["elsewhere"] = f"export TRAPO_HOME={self.home}   (for trapo in another shell)"
        for name, value in facts.items():
            self.console.print(f"  [dim]{name:<10}[/] {escape(value)}", highlight=False, soft_wrap=True)
        self.console.print("  [dim]The login link works once, for ten minutes; `trapo login-link` makes another.[/]\n")

    def _warn(self, text: str) -> None:
        self.console.print(f"[yellow]{escape(text)}[/]", highlight=False, soft_wrap=True)

    def _note_pids(self, pids: Mapping[str, int]) -> None:
        """For the other commands, and for whoever wants to know what runs: complete at every moment."""
        file = self.home / places.SERVICE_FILE
        fresh = file.with_suffix(".new")
        facts = {"url": self.url, "pid": os.getpid(), "roots": self._roots(), "children": dict(pids)}
        fresh.write_text(json.dumps(facts) + "\n")
        fresh.replace(file)

    def _roots(self) -> dict[str, str]:
        """For who adds models and data from another folder, where a relative name would lead elsewhere."""
        set_here = {name: self.environment[name] for name in places.ROOTS if self.environment.get(name)}
        return {name: str(Path(place).expanduser().absolute()) for name, place in set_here.items()}


def free_port(host: str, port: int) -> int:
    """`port` if it can be bound, or a free one for 0."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise UsageError(
                f"Port {port} on {host} cannot be used: {error.strerror}.", "--port 0 takes a free one."
            ) from error
        return int(probe.getsockname()[1])


@contextmanager
def _own(home: Path) -> Iterator[None]:
    """The home, made if need be, for this supervisor alone; the lock goes with the process, however it ends."""
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    (home / "logs").mkdir(exist_ok=True)
    with (home / "lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            holder = lock.read().strip()
            raise UsageError(
                f"{home} is in use by `trapo up` (process {holder}).", "Stop that one, or give another --home."
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


@contextmanager
def _terminate_as_interrupt() -> Iterator[None]:
    """TERM stops as calmly as Ctrl-C."""
    old = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, old)
