"""Beside MLflow's tracking server, in one run: the same points until they can be read over REST, and a curve read back.

Ours are lines of `events.jsonl` that a training process writes at once; theirs go to `runs/log-batch`, a thousand
a request as their client sends them. Curves as the dashboards ask for them: ours `POST /series:query`, theirs
`metrics/get-history-bulk-interval` of their UI; and every point: ours `points` as CSV, theirs `metrics/get-history`.
A short run and a long one: what one curve costs us hardly depends on its length, and on what theirs depends is asked.

MLflow is not among our dependencies: it is installed once into a virtual environment of its own (MLFLOW_ENV).
"""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import httpx

from bench.load.figures import Figure, spread, timed
from bench.load.service import SPEC, Service, inherited, postgres, serving, wait_until
from bench.load.training import metrics_of
from client.up import free_port

VERSION = "3.17.2"
MLFLOW_ENV = Path(os.environ.get("MLFLOW_ENV", tempfile.gettempdir())) / f"trapo-bench-mlflow-{VERSION}"
STEPS, KEYS, ROUNDS, READS = (5_000, 20_000), 20, 3, 20
BATCH = 1000
CHART = 1000  # points of a curve
PROBE = "metric/01"
READY_S = 300


def measure(database: str, steps: Sequence[int] = STEPS, keys: int = KEYS, rounds: int = ROUNDS) -> list[Figure]:
    install()
    with serving(database) as service, _mlflow(database) as url, httpx.Client(base_url=url, timeout=600) as theirs:
        return [figure for length in steps for figure in _beside(service, theirs, length, keys, rounds)]


def _beside(service: Service, mlflow: httpx.Client, steps: int, keys: int, rounds: int) -> list[Figure]:
    pairs = [(_ours(service, steps, keys), _theirs(mlflow, steps, keys)) for _ in range(rounds)]
    figures = []
    for name in ("until readable", "curve as its dashboard asks", "every point of the curve"):
        ours, other = [pair[0][name] for pair in pairs], [pair[1][name] for pair in pairs]
        ratios = [b / a for a, b in zip(ours, other, strict=True)]
        what = f"{steps:,} steps × {keys} values, {name}: MLflow {VERSION} ÷ ours"
        figures.append(
            Figure(f"{what}", f"{spread(ratios, 1)}: {_time(other)} ÷ {_time(ours)}", "≥ 10", median(ratios) >= 10)
        )
    return figures


def _time(seconds: list[float]) -> str:
    return f"{1000 * median(seconds):,.0f} ms" if median(seconds) < 10 else f"{median(seconds):.1f} s"


def _ours(service: Service, steps: int, keys: int) -> dict[str, float]:
    with service.client() as client:
        run_id = client.submit({**SPEC, "name": f"rate=1e9 metrics={keys}", "steps": steps}).id
        events = service.home / "runs" / run_id / "events.jsonl"
        # From the first line, as theirs from the first request: starting a process is no part of it.
        wait_until(lambda: events.exists() and events.stat().st_size, 60)
        began = time.perf_counter()
        asked = {"run_ids": [run_id], "keys": [PROBE], "points": 2, "from_step": steps}

        def is_readable() -> bool:
            return bool(client.send("POST", "/series:query", json=asked).json()["data"][0]["steps"] == [steps])

        # Asked more often, the asking takes a quarter of a core from those who work; theirs are not asked meanwhile.
        wait_until(is_readable, 600, every_s=0.1)
        readable = time.perf_counter() - began
        sized = {row["key"]: row["points"] for row in client.send("GET", f"/runs/{run_id}/series").json()["data"]}
        if sized.pop("time/step_s") != steps or set(sized.values()) != {steps} or len(sized) != keys:
            raise RuntimeError(f"points are missing: {sized}")
        wait_until(lambda: client.get(run_id).state == "succeeded", 60)
        chart = {"run_ids": [run_id], "keys": [PROBE], "points": CHART}
        return {
            "until readable": readable,
            "curve as its dashboard asks": _read(lambda: client.send("POST", "/series:query", json=chart).json()),
            "every point of the curve": _read(
                lambda: client.send("GET", f"/runs/{run_id}/points", params={"key": PROBE}).text
            ),
        }


def _theirs(client: httpx.Client, steps: int, keys: int) -> dict[str, float]:
    at = int(time.time() * 1000)
    made = _post(client, "runs/create", {"experiment_id": "0", "start_time": at})
    run_id = made["run"]["info"]["run_id"]
    points = [
        {"key": key, "value": value, "timestamp": at + step, "step": step}
        for step in range(1, steps + 1)
        for key, value in metrics_of(step, keys).items()
    ]
    began = time.perf_counter()
    for start in range(0, len(points), BATCH):
        _post(client, "runs/log-batch", {"run_id": run_id, "metrics": points[start : start + BATCH]})
    readable = time.perf_counter() - began
    _post(client, "runs/update", {"run_id": run_id, "status": "FINISHED", "end_time": at})
    asked = {"run_ids": run_id, "metric_key": PROBE, "max_results": CHART}
    bulk = "/ajax-api/2.0/mlflow/metrics/get-history-bulk-interval"
    every = {"run_id": run_id, "metric_key": PROBE, "max_results": 100_000}
    if len(_get(client, "/api/2.0/mlflow/metrics/get-history", every)["metrics"]) != steps:
        raise RuntimeError("MLflow has not all points")
    return {
        "until readable": readable,
        "curve as its dashboard asks": _read(lambda: _get(client, bulk, asked)),
        "every point of the curve": _read(lambda: _get(client, "/api/2.0/mlflow/metrics/get-history", every)),
    }


def _read(ask: Any) -> float:
    return median(timed(ask, READS))


def _post(client: httpx.Client, path: str, body: dict[str, Any]) -> dict[str, Any]:
    answer = client.post(f"/api/2.0/mlflow/{path}", json=body)
    answer.raise_for_status()
    return dict(answer.json())


def _get(client: httpx.Client, path: str, params: dict[str, Any]) -> dict[str, Any]:
    answer = client.get(path, params=params)
    answer.raise_for_status()
    return dict(answer.json())


def install() -> None:
    if not (MLFLOW_ENV / "installed").exists():
        sys.stderr.write(f"Installing MLflow {VERSION} into {MLFLOW_ENV} (once, some minutes) ...\n")
        subprocess.run([sys.executable, "-m", "venv", MLFLOW_ENV], check=True)
        pip = [MLFLOW_ENV / "bin" / "pip", "install", "--quiet", f"mlflow=={VERSION}", "psycopg2-binary"]
        subprocess.run(pip, check=True)
        (MLFLOW_ENV / "installed").touch()


@contextmanager
def _mlflow(database: str) -> Iterator[str]:
    """Its tracking server over the same kind of database. One process, as ours: one client asks, and on two cores the
    four that it takes by itself only cost it memory and time."""
    with tempfile.TemporaryDirectory(prefix="trapo-load-mlflow-") as folder, _store(database, Path(folder)) as store:
        url = f"http://127.0.0.1:{free_port('127.0.0.1', 0)}"
        command = [MLFLOW_ENV / "bin" / "mlflow", "server", "--host", "127.0.0.1", "--port", url.rpartition(":")[2]]
        command += ["--workers", "1", "--backend-store-uri", store, "--artifacts-destination", folder]
        environment = {**inherited(), "PATH": f"{MLFLOW_ENV / 'bin'}:{os.environ['PATH']}", "PYTHONPATH": ""}
        with (Path(folder) / "server.log").open("wb") as log:
            server = subprocess.Popen(
                command, env=environment, cwd=folder, stdout=log, stderr=log, start_new_session=True
            )
        try:
            wait_until(lambda: _answers(url), READY_S)
            yield url
        finally:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()


@contextmanager
def _store(database: str, folder: Path) -> Iterator[str]:
    if database == "sqlite":
        yield f"sqlite:///{folder / 'mlflow.db'}"
        return
    with postgres() as url:
        yield url.replace("postgresql:", "postgresql+psycopg2:")


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health", timeout=5).is_success
    except httpx.TransportError:
        return False
