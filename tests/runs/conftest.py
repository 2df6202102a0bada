"""What backup and gc are tried on."""

import pytest

from runs.access import keys, outbox
from runs.access.audit import Author
from runs.db import AUTHOR, writing
from runs.life import leases, store
from runs.life.leases import Worker
from runs.record import checkpoints
from runs.record.ingest import ingest
from trapo_core.events import AttemptStarted, CheckpointSaved, EventWriter, StepDone


@pytest.fixture
def fill(settings, make_run):
    """A service with a bit of everything: a run under way, a promoted model, keys, sessions, a webhook, odd values."""

    def make(engine):
        with writing(engine.execution_options(**{AUTHOR: Author("POST", "::1", "/runs", "a")})) as session:
            key = keys.make_key(session, "alice", ["read"])
            keys.open_session(session, keys.check_key(session, key), 1)
            outbox.make_webhook(session, "https://example.org", [], "alice")
        run_id, waiting = make_run(engine), make_run(engine)
        with writing(engine) as session:
            store.remember(session, "alice", "k", {"a": 1}, run_id=waiting)
            lease = leases.claim(session, run_id, Worker("w", "h", 0), 60)
        run_dir = settings.run_dir(run_id)
        saved = run_dir / "checkpoints" / "step-000003"
        (saved / "trainer").mkdir(parents=True)
        (saved / "model.safetensors").write_bytes(b"weights" * 1000)
        (saved / "trainer" / "state.json").write_text("{}")
        tell = EventWriter(run_dir)
        tell(AttemptStarted(attempt=1, resumed_from_step=0, total_steps=5, pid=1))
        for step in range(1, 4):
            tell(StepDone(step=step, seconds=0.1 + 0.2, metrics={"a": 1e300, "nan": float("nan"), "x": step / 3}))
        tell(CheckpointSaved(step=3, path="checkpoints/step-000003", bytes=7, sha256="0" * 64))
        ingest(engine, lease, run_dir)
        tell(StepDone(step=4, seconds=1, metrics={"a": 1.0}))  # not yet read
        settings.models_root.mkdir(exist_ok=True)
        checkpoints.promote(engine, settings, run_id, 3, "best", "alice")
        with writing(engine) as session:
            run = store.get_run(session, run_id)
            run.priority, run.fence, run.tags, run.message = -5, 2**53 + 1, ["größe"], "a\u2028\nb"
        settings.data_root.mkdir(exist_ok=True)
        (settings.data_root / "problems.jsonl").write_text("{}\n")
        return run_id, key

    return make
