"""Promoting a checkpoint: a model and a name, without anybody waiting for the weights."""

import errno
import os
import shutil

from runs.db import writing
from runs.record import checkpoints


def test_others_write_while_the_weights_are_copied_to_another_disk(any_engine, settings, fill, monkeypatch):
    run_id, _ = fill(any_engine)
    shutil.rmtree(settings.models_root / "promoted")
    copy, written = shutil.copy2, []

    def no_link(*_):
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))

    def copy_while_another_writes(*paths):
        with writing(any_engine):  # waits in vain, if the copy is made in a transaction
            written.append(paths)
        return copy(*paths)

    monkeypatch.setattr(os, "link", no_link)
    monkeypatch.setattr(shutil, "copy2", copy_while_another_writes)
    alias = checkpoints.promote(any_engine, settings, run_id, 3, "good", "alice")
    assert written
    assert (settings.models_root / "good").resolve() == settings.models_root / alias.path
    assert (settings.models_root / "good" / "model.safetensors").stat().st_nlink == 1
