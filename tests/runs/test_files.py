"""The end of a log, from a whole line on."""

from runs.files import log_path, tail


def test_the_tail_begins_with_a_whole_line(tmp_path):
    path = log_path(tmp_path, 12)
    assert path.name == "attempt-0012.log"
    assert tail(path, 100) == ""
    path.parent.mkdir()
    path.write_bytes(b"first\nsecond\nth\xffird\n")
    assert tail(path, 1000) == "first\nsecond\nth\ufffdird\n"
    assert tail(path, 10) == "th\ufffdird\n"
