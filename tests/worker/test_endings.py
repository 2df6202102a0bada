"""Why an attempt ended: its own words first, then its exit, then what the host knows."""

import pytest

from trapo_core.errors import BusyError
from trapo_core.events import Ended
from worker.endings import End, explained, fallen, how_it_ended, oom_kills


@pytest.mark.parametrize(
    ("goodbye", "code", "asked", "end"),
    [
        (Ended(outcome="succeeded", step=5), 0, None, End(None)),
        (Ended(outcome="succeeded", step=5), -9, None, End(None)),
        (Ended(outcome="stopped", step=5), 0, None, End("worker_stopped")),
        (Ended(outcome="failed", step=5, reason="oom_gpu", message="m"), 1, "max_duration", End("oom_gpu", "m")),
        (None, -9, "worker_stopped", End("worker_stopped")),
        (Ended(outcome="stopped", step=5), 0, "max_duration", End("max_duration")),
        (None, -9, None, End("killed_signal", "Killed by SIGKILL.")),
        (None, 75, None, End("run_busy", "last")),
        (None, 1, None, End("exit_nonzero", "last")),
        (None, 0, None, End("exit_nonzero", "last")),
    ],
)
def test_how_an_attempt_ended_is_read_from_its_goodbye_first(goodbye, code, asked, end):
    assert how_it_ended(goodbye, code, asked, "last") == end


def test_what_an_earlier_attempt_holds_is_busy_and_no_fault_of_the_worker():
    assert fallen(BusyError("It is there.", "Wait.")) == End("run_busy", "It is there. Wait.")
    assert fallen(ValueError("odd")) == End("worker_failed", "ValueError: odd")


@pytest.mark.parametrize(
    ("end", "out_of_memory", "disk_is_full", "reason"),
    [
        (End("killed_signal", "Killed by SIGKILL."), True, False, "oom_host"),
        (End("killed_signal", "Killed by SIGKILL."), False, True, "killed_signal"),
        (End("killed_signal", "Killed by SIGSEGV."), True, False, "killed_signal"),
        (End("exit_nonzero", "OSError: [Errno 28] No space left on device: 'x'"), False, False, "disk_full"),
        (End("exit_nonzero", "cut off"), False, True, "disk_full"),
        (End("nan_loss", "nan"), True, True, "nan_loss"),
        (End(None), True, True, None),
    ],
)
def test_a_bare_end_is_explained_by_what_the_host_knows(end, out_of_memory, disk_is_full, reason):
    assert explained(end, out_of_memory=out_of_memory, disk_is_full=disk_is_full).reason == reason


@pytest.mark.parametrize(
    ("own", "file"),
    [
        ("0::/app.slice/worker", "app.slice/worker/memory.events"),
        ("0::/host/path", "memory.events"),
        ("4:memory:/docker/1\n0::/", "memory/docker/1/memory.oom_control"),
    ],
)
def test_the_kernels_kills_for_memory_are_counted_in_our_cgroup(tmp_path, own, file):
    (tmp_path / "own").write_text(own + "\n")
    counter = tmp_path / "cgroup" / file
    counter.parent.mkdir(parents=True)
    counter.write_text("low 0\noom 4\noom_kill 3\n")
    assert oom_kills(tmp_path / "cgroup", tmp_path / "own") == 3


def test_where_the_kernel_does_not_say_nothing_is_claimed(tmp_path):
    (tmp_path / "own").write_text("0::/\n")
    assert oom_kills(tmp_path, tmp_path / "own") is None
    assert oom_kills(tmp_path, tmp_path / "none") is None
