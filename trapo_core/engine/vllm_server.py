"""A vLLM server as a process beside the run, and HTTP to it or to one that somebody else started.

vLLM pins other versions of nearly everything, so it is never imported: it lives in an environment of its own, named by
TRAPO_VLLM (its `vllm` command; TRAPO_VLLM_ARGS adds arguments). A spec is data and cannot name a program.
"""

import json
import shlex
import socket
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from trapo_core.errors import EngineError
from trapo_core.launch import free_port, outside

POLL_S = 0.25
END_TIMEOUT_S = 30.0
LOG_TAIL_CHARS = 2000


class GivenUp(Exception):
    """The request was cancelled from this side."""


class Request:
    """One HTTP request on a connection of its own, so that another thread can give it up: the server sees the
    connection close and ends the work."""

    def __init__(self, url: str, timeout_s: float, api_key: str | None = None) -> None:
        parts = urlsplit(url)
        self._connection = HTTPConnection(parts.hostname or "", parts.port or 80, timeout=timeout_s)
        self._headers = {"Content-Type": "application/json"}
        if api_key:
            self._headers["Authorization"] = f"Bearer {api_key}"
        self._given_up = False

    def send(self, method: str, path: str, body: Any = None) -> tuple[int, str]:
        """(status, text of the answer). Raises GivenUp, or OSError and HTTPException as http.client does."""
        try:
            self._connection.connect()
            if self._given_up:
                raise GivenUp
            self._connection.request(method, path, None if body is None else json.dumps(body), self._headers)
            answer = self._connection.getresponse()
            return answer.status, answer.read().decode()
        except (OSError, HTTPException):
            if self._given_up:
                raise GivenUp from None
            raise
        finally:
            self._connection.close()

    def give_up(self) -> None:
        self._given_up = True  # before the socket is looked at: `send` looks the other way round
        if (sock := self._connection.sock) is not None:
            with suppress(OSError):  # it has just been closed
                sock.shutdown(socket.SHUT_RDWR)


class Server:
    """Where to ask. `process` and `log` if the run started it."""

    def __init__(
        self,
        url: str,
        timeout_s: float,
        *,
        api_key: str | None = None,
        process: "subprocess.Popen[bytes] | None" = None,
        log: Path | None = None,
    ) -> None:
        self._url, self.timeout_s, self._api_key = url, timeout_s, api_key
        self._process, self._log = process, log

    @classmethod
    def at(cls, url: str, timeout_s: float, environment: Mapping[str, str]) -> Self:
        """A server that somebody else started and will end."""
        return cls(url.rstrip("/"), timeout_s, api_key=environment.get("VLLM_API_KEY"))

    @classmethod
    def start(
        cls,
        folder: Path,
        flags: Mapping[str, object],
        environment: Mapping[str, str],
        *,
        log: Path,
        start_timeout_s: float,
        timeout_s: float,
    ) -> Self:
        """`vllm serve folder --flag value ...` on a free port of this machine, once it is healthy.

        Raises EngineError if there is no such command, if it ends, or if it is not healthy in time.
        """
        port = free_port()
        told = [text for name, value in flags.items() for text in (f"--{name}", str(value))]
        command = [environment.get("TRAPO_VLLM") or "vllm", "serve", str(folder), *told]
        command += ["--host", "127.0.0.1", "--port", str(port), *shlex.split(environment.get("TRAPO_VLLM_ARGS", ""))]
        try:
            with log.open("wb") as out:
                process = subprocess.Popen(
                    command,
                    env={**outside(environment), "VLLM_SERVER_DEV_MODE": "1"},
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=subprocess.STDOUT,
                )
        except OSError as error:
            raise EngineError(
                f"cannot start vLLM: {error}.", "Set TRAPO_VLLM to the vllm command of its own environment."
            ) from error
        server = cls(
            f"http://127.0.0.1:{port}", timeout_s, api_key=environment.get("VLLM_API_KEY"), process=process, log=log
        )
        try:
            server.wait_healthy(start_timeout_s)
        except EngineError:
            server.close()
            raise
        return server

    def wait_healthy(self, timeout_s: float) -> None:
        """Raises EngineError if the server does not say that it is well within `timeout_s`."""
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                status, _ = Request(self._url, min(timeout_s, 10.0), self._api_key).send("GET", "/health")
                if status == 200:
                    return
                last = f"status {status}"
            except (OSError, HTTPException) as error:
                last = str(error) or type(error).__name__
            if self.ended or time.monotonic() > deadline:
                raise self.error(
                    f"not healthy within {timeout_s:g} s ({last}).", "Raise sampling.vllm.start_timeout_s."
                )
            time.sleep(POLL_S)

    @property
    def ended(self) -> bool:
        return self._process is not None and self._process.poll() is not None

    def request(self) -> Request:
        """A request that can be given up."""
        return Request(self._url, self.timeout_s, self._api_key)

    def ask(self, method: str, path: str, body: Any = None, request: Request | None = None) -> Any:
        """The answer's JSON (None if it is empty). Raises EngineError for all that is not an answer."""
        try:
            status, text = (request or self.request()).send(method, path, body)
        except TimeoutError as error:
            what = f"no answer to {path} within {self.timeout_s:g} s."
            raise self.error(what, "Raise sampling.vllm.timeout_s, or look at its log.") from error
        except (OSError, HTTPException) as error:
            what = f"{path}: {error or type(error).__name__}."
            raise self.error(what, "Check that it runs and can be reached.") from error
        if status == 404:
            raise self.error(
                f"does not know {path}.", "Start it with VLLM_SERVER_DEV_MODE=1 in its environment (docs/engines.md)."
            )
        if status != 200:
            raise self.error(f"{path} answered {status}: {text[:LOG_TAIL_CHARS]}", "Its log says more.")
        try:
            return json.loads(text) if text else None
        except ValueError as error:
            raise self.error(f"{path} answered no JSON: {text[:200]}", "Is it a vLLM server?") from error

    def error(self, what: str, remedy: str) -> EngineError:
        """An error of this server; if it has ended, that, with the end of its log."""
        if self.ended:
            assert self._process is not None and self._log is not None
            tail = self._log.read_text(errors="replace")[-LOG_TAIL_CHARS:]
            return EngineError(
                f"the vLLM server ended with status {self._process.returncode}:\n{tail}", "See docs/engines.md."
            )
        return EngineError(f"the vLLM server at {self._url}: {what}", remedy)

    def close(self) -> None:
        """End the process, if it is the run's own."""
        if self._process is None or self.ended:
            return
        self._process.terminate()
        try:
            self._process.wait(END_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
