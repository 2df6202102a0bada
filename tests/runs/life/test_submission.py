"""Clones keep what they begin with, whoever tidies up meanwhile."""

import json
import os
import shutil

import pytest

from runs.db import writing
from runs.inputs.registry import remove_alias
from runs.life import submission
from runs.life.submission import Order, Service, clone
from runs.record import checkpoints, curves
from runs.upkeep import gc

CONFIG = {
    "model_type": "qwen2", "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2,
    "num_attention_heads": 4, "num_key_value_heads": 4, "vocab_size": 64, "max_position_embeddings": 160,
}  # fmt: skip


@pytest.fixture
def unnamed(settings, fill):
    """The run of a checkpoint that was promoted long ago, and that nothing names."""

    def make(engine):
        run_id, _ = fill(engine)
        (settings.run_dir(run_id) / "checkpoints" / "step-000003" / "config.json").write_text(json.dumps(CONFIG))
        with writing(engine) as session:
            remove_alias(session, settings, "best")
            (saved,) = curves.checkpoints(session, run_id)
        shutil.rmtree(settings.models_root)
        checkpoints.publish(settings, saved)
        for path in (settings.models_root, *settings.models_root.rglob("*")):
            os.utime(path, (0, 0))
        return run_id

    return make


def test_a_clone_has_its_weights_though_gc_took_them_before_the_run_named_them(
    any_engine, settings, unnamed, monkeypatch
):
    run_id = unnamed(any_engine)
    admit, taken = submission.admit, []

    def admit_while_gc_runs(*given):
        spec = admit(*given)
        chosen = gc.plan(any_engine, settings)
        gc.collect(any_engine, settings, chosen)
        taken.extend(item.kind for item in chosen.items if not item.path.exists())
        return spec

    monkeypatch.setattr(submission, "admit", admit_while_gc_runs)
    made, _ = clone(Service(any_engine, settings), run_id, {"sampling.max_tokens": 40}, 3, Order("alice"))
    assert taken == ["promoted_model"]
    assert (settings.models_root / made.spec["model"]["path"] / "model.safetensors").is_file()
    assert gc.plan(any_engine, settings).items == []
