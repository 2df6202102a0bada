"""What `trapo doctor` looks at, a finding each. What other rooms know is asked in a process of its own: the client
knows neither torch nor the tables."""

import json
import os
import platform
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from client import broker, places
from client.api import Client
from client.connection import missing
from client.errors import ApiError, ClientError

Verdict = Literal["ok", "warning", "wrong"]
OLDEST_PYTHON = (3, 11)
FREE_BYTES = 1 << 30  # the service's own default of TRAPO_MIN_FREE_BYTES
PROBE_S = 120

TORCH = """
import json, torch
gpus = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
print(json.dumps({"version": torch.__version__, "cuda": torch.version.cuda, "gpus": gpus}))
"""
REDIS = """
import json, redis
from runs.settings import Settings
redis.Redis.from_url(Settings().redis_url.replace("redis+socket", "unix"), socket_timeout=3).ping()
print(json.dumps({}))
"""
DATABASE = """
import json
from runs.db import make_engine
from runs.migrate import is_current
from runs.settings import Settings
engine = make_engine(Settings().database_url)
print(json.dumps({"url": engine.url.render_as_string(hide_password=True), "current": is_current(engine)}))
"""


@dataclass(frozen=True)
class Finding:
    """One line. `remedy` is empty where nothing is to be done."""

    name: str
    verdict: Verdict
    text: str
    remedy: str = ""


class ProbeFailed(Exception):
    """The last line that a probe wrote."""


def examine(
    home: Path, environment: dict[str, str], url: str | None = None, api_key: str | None = None
) -> Iterator[Finding]:  # fmt: skip
    yield python(sys.version_info[:3])
    yield from torch_and_cuda(environment)
    yield redis(home, environment)
    yield database(home, environment)
    yield disk(home, environment)
    yield key_file(home, api_key)
    yield service(url, api_key)


def python(version: tuple[int, ...]) -> Finding:
    found = ".".join(map(str, version))
    if version < OLDEST_PYTHON:
        return Finding("Python", "wrong", found, "Install Python 3.11 or newer.")
    return Finding("Python", "ok", f"{found} on {platform.system()} {platform.machine()}")


def torch_and_cuda(environment: dict[str, str]) -> Iterator[Finding]:
    try:
        found = probe(TORCH, environment)
    except ProbeFailed as error:
        yield Finding("torch", "warning", str(error), "Where runs are trained: pip install 'trapo[train]'.")
        yield Finding("CUDA", "warning", "not known without torch")
        return
    yield Finding("torch", "ok", found["version"])
    if found["gpus"]:
        yield Finding("CUDA", "ok", f"{found['cuda']}: {', '.join(found['gpus'])}")
    elif found["cuda"]:
        remedy = "Fine for the small world; else see that nvidia-smi works, and CUDA_VISIBLE_DEVICES."
        yield Finding("CUDA", "warning", f"torch is built for {found['cuda']} and finds no GPU", remedy)
    else:
        remedy = "Fine for the small world; for a GPU install torch built for CUDA."
        yield Finding("CUDA", "warning", "torch is built without it", remedy)


def redis(home: Path, environment: dict[str, str]) -> Finding:
    if environment.get("TRAPO_REDIS_URL"):
        try:
            probe(REDIS, environment)
        except ProbeFailed as error:
            remedy = "Start it, or correct TRAPO_REDIS_URL; without it `trapo up` has its own."
            return Finding("Redis", "wrong", str(error), remedy)
        return Finding("Redis", "ok", "that of TRAPO_REDIS_URL answers")
    program = broker.program(environment)
    if program is None:
        return Finding("Redis", "wrong", "there is none to queue runs with", broker.REMEDY)
    answers = broker.answers(home / "redis.sock")
    return Finding("Redis", "ok", f"{program}, {'answers' if answers else 'started by `trapo up`'}")


def database(home: Path, environment: dict[str, str]) -> Finding:
    if not environment.get("TRAPO_DATABASE_URL") and not (home / "trapo.db").exists():
        return Finding("database", "ok", f"none yet in {home}; `trapo up` makes one")
    try:
        found = probe(DATABASE, environment)
    except ProbeFailed as error:
        return Finding("database", "wrong", str(error), "Is it running, and TRAPO_DATABASE_URL right?")
    if found["current"]:
        return Finding("database", "ok", f"{found['url']} has the newest schema")
    return Finding("database", "wrong", f"{found['url']} has another schema", "Run `python -m runs.migrate`.")


def disk(home: Path, environment: dict[str, str]) -> Finding:
    present = next(folder for folder in (home, *home.parents) if folder.exists())
    free = shutil.disk_usage(present).free
    wanted = int(environment.get("TRAPO_MIN_FREE_BYTES") or FREE_BYTES)
    text = f"{free / 1e9:,.1f} GB free for {home}"
    if free < wanted:
        return Finding("disk", "wrong", f"{text}; no run is accepted", "Free some: `trapo ls`, `trapo rm`.")
    return Finding("disk", "ok", text)


def key_file(home: Path, api_key: str | None = None) -> Finding:
    file = home / places.KEY_FILE
    if api_key:
        return Finding("key", "ok", "that of --api-key")
    if os.environ.get("TRAPO_API_KEY"):
        return Finding("key", "ok", "that of TRAPO_API_KEY")
    if not file.exists():
        return Finding("key", "warning", f"no {file}", "`trapo up` makes it; for another service set TRAPO_API_KEY.")
    if stat.S_IMODE(file.stat().st_mode) & 0o077:
        return Finding("key", "wrong", f"others may read {file}", f"chmod 600 {file}, then `trapo keys rotate`.")
    return Finding("key", "ok", f"{file}, for its owner only")


def service(url: str | None = None, api_key: str | None = None) -> Finding:
    """Whether it is there, and knows the key."""
    try:
        place = places.locate(url, api_key)
    except ClientError as error:
        return Finding("service", "warning", error.message, error.hint)
    if why := missing(place.url):
        return Finding(
            "service", "wrong", f"{place.url} is not ready: {why}", "`trapo up` starts it; its logs say more."
        )
    try:
        with Client(place.url, place.api_key) as client:
            session = client.session()
            ill = [worker.problem for worker in client.workers() if worker.problem]
    except ApiError as error:
        return Finding(
            "service", "wrong", f"{place.url}: {error.message}", "Give --api-key or TRAPO_API_KEY that it knows."
        )
    text = f"{place.url} knows you as {session.principal} ({', '.join(session.scopes)})"
    return Finding("service", "wrong", text, ill[0]) if ill else Finding("service", "ok", text)


def probe(program: str, environment: dict[str, str]) -> dict[str, Any]:
    """What a program of a few lines says, in a process of its own; ProbeFailed with its last line."""
    command = [sys.executable, "-P", "-c", program]
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=PROBE_S)
    except subprocess.TimeoutExpired as error:
        raise ProbeFailed(f"no answer within {PROBE_S} s") from error
    if done.returncode != 0:
        raise ProbeFailed((done.stderr.strip() or f"exit status {done.returncode}").splitlines()[-1])
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found
