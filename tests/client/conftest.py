"""What the client's tests share: a home of their own, the real api, and a training process that does as it is told."""

import json
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import uvicorn
from sqlalchemy import Engine

from api.main import create_app
from client import Client, cli
from client.places import SERVICE_FILE
from runs.db import writing
from runs.files import log_path
from runs.life import leases
from runs.life.leases import Lease, Worker
from runs.record.ingest import ingest
from runs.settings import Settings
from trapo_core.events import AttemptStarted, BenchmarkScore, CheckpointSaved, EventWriter

SPEC = {
    "name": "first", "model": {"source": "small_world"}, "data": {"format": "small_world"},
    "sampling": {"max_tokens": 40}, "steps": 10, "prompts_per_step": 4,
}  # fmt: skip
MODEL = {
    "model_type": "qwen2", "vocab_size": 32, "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2,
    "num_key_value_heads": 2, "intermediate_size": 16, "max_position_embeddings": 4096,
}  # fmt: skip


class Said(NamedTuple):
    """What the command ended with and wrote."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def json_lines(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines()]


SCRIPTED = '''
"""Usage: scripted.py SCENARIO RUN_DIR. Speaks as a training process does."""
import os, signal, sys, time
from pathlib import Path
from trapo_core.events import AttemptStarted, BenchmarkScore, CheckpointSaved, Ended, EventWriter
from trapo_core.events import Message, Progress, StepDone

scenario, run_dir = sys.argv[1], Path(sys.argv[2])
stop = []
signal.signal(signal.SIGTERM, lambda *_: stop.append(True))
tell = EventWriter(run_dir)
steps = 20

def step(number):
    metrics = {"reward/unguided": number / steps, "guided/share": 1 - number / steps}
    tell(StepDone(step=number, seconds=0.1, metrics=metrics))

def save(number):
    folder = run_dir / "checkpoints" / f"step-{number}"
    folder.mkdir(parents=True, exist_ok=True)
    tell(CheckpointSaved(step=number, path=f"checkpoints/{folder.name}", bytes=1, sha256="0" * 64))

if scenario == "refuse":
    tell(Ended(outcome="failed", step=0, reason="dataset_not_found", message="gsm8k/nowhere.jsonl is not there."))
    sys.exit(1)

saved = [int(path.name.split("-")[1]) for path in run_dir.glob("checkpoints/*")]
first = max(saved, default=0)
tell(AttemptStarted(attempt=1, resumed_from_step=first, total_steps=steps, pid=os.getpid()))
if scenario == "crash":
    print("Traceback: the disk is full", file=sys.stderr)
    sys.exit(7)
tell(Progress(stage="base model", done=1, total=2))
tell(Message(level="warning", text="three problems were dropped"))
for number in range(first + 1, steps + 1):
    step(number)
    if scenario == "slow":
        time.sleep(0.2)
    while scenario == "wait" and number == 5 and not stop:
        time.sleep(0.01)
    while scenario == "deaf" and number == 5:
        time.sleep(0.01)
    if stop:
        save(number)
        tell(Ended(outcome="stopped", step=number))
        sys.exit(0)
save(steps)
tell(BenchmarkScore(step=steps, benchmark="chains", metric="avg@4", score=0.75, low=0.7, high=0.8, confidence=0.95,
                    interval="wilson", problems=100, samples=4))
tell(Ended(outcome="succeeded", step=steps))
'''


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No test reads the home, service or key of whoever runs it."""
    for name in ("TRAPO_URL", "TRAPO_API_KEY", "TRAPO_REDIS_URL", "TRAPO_MODELS_DIR", "TRAPO_DATA_DIR", "TRAPO_PORT"):
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("TRAPO_HOME", str(folder))
    return folder


@pytest.fixture
def scripted(tmp_path: Path) -> list[str]:
    """A command that takes a scenario and a run folder."""
    script = tmp_path / "scripted.py"
    script.write_text(SCRIPTED)
    return [sys.executable, str(script)]


@pytest.fixture
def service(settings: Settings, engine: Engine, home: Path, until: Callable[..., None]) -> Iterator[str]:
    """The real api on a real port, as `trapo up` would have left its address and key in the home."""
    assert settings.home == home
    server = uvicorn.Server(
        uvicorn.Config(create_app(settings), port=0, log_level="error", timeout_graceful_shutdown=1)
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    until(lambda: server.started)
    port = server.servers[0].sockets[0].getsockname()[1]
    (home / SERVICE_FILE).write_text(json.dumps({"url": f"http://127.0.0.1:{port}"}))
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join()


@pytest.fixture
def client(service: str) -> Iterator[Client]:
    """With the admin's key."""
    with Client.from_home() as made:
        yield made


@pytest.fixture
def run(client: Client) -> str:
    return client.submit(SPEC).id


@pytest.fixture
def attempt(engine: Engine, settings: Settings) -> Callable[[str], tuple[Lease, Path]]:
    """Begin an attempt of a run, as a worker does: its lease and the path of its log."""

    def begin(run_id: str) -> tuple[Lease, Path]:
        with writing(engine) as session:
            lease = leases.claim(session, run_id, Worker("w", "h", 0), 60)
        log = log_path(settings.run_dir(run_id), lease.attempt)
        log.parent.mkdir(parents=True, exist_ok=True)
        return lease, log

    return begin


@pytest.fixture
def finish(engine: Engine, settings: Settings) -> Callable[[Lease, str | None], None]:
    def end(lease: Lease, reason: str | None) -> None:
        with writing(engine) as session:
            leases.finish(session, lease, settings, reason=reason)

    return end


@pytest.fixture
def saved(
    run: str, engine: Engine, settings: Settings, attempt: Callable[[str], tuple[Lease, Path]]
) -> str:  # fmt: skip
    """A run that goes on, with checkpoints of steps 2 and 4 and two scores."""
    lease, _ = attempt(run)
    run_dir = settings.run_dir(run)
    tell = EventWriter(run_dir)
    tell(AttemptStarted(attempt=1, resumed_from_step=0, total_steps=10, pid=1))
    for step in (2, 4):
        folder = run_dir / "checkpoints" / f"step-{step:06d}"
        (folder / "trainer").mkdir(parents=True)
        (folder / "config.json").write_text(json.dumps(MODEL))
        (folder / "model.safetensors").write_bytes(bytes([step]) * 5000)
        (folder / "trainer" / "state.json").write_text("{}")
        tell(CheckpointSaved(step=step, path=f"checkpoints/{folder.name}", bytes=5000, sha256="ab"))
        interval = {"score": step / 10, "low": step / 10 - 0.05, "high": step / 10 + 0.05, "confidence": 0.95}
        counted = {"interval": "wilson", "problems": 9, "samples": 4}
        tell(BenchmarkScore(step=step, benchmark="chains", metric="avg@4", **interval, **counted))
    tell.close()
    ingest(engine, lease, run_dir)
    return run


@pytest.fixture
def trapo(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    """The command, as a person types it."""

    def typed(*words: object) -> Said:
        monkeypatch.setattr(sys, "argv", ["trapo", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        out, err = capsys.readouterr()
        return Said(int(ended.value.code or 0), out, err)

    return typed
