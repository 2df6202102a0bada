"""The end of a log, from a whole line on."""

from runs.files import Part, log_path, read_part, tail


def test_the_tail_begins_with_a_whole_line(tmp_path):
    path = log_path(tmp_path, 12)
    assert path.name == "attempt-0012.log"
    assert tail(path, 100) == ""
    path.parent.mkdir()
    path.write_bytes(b"first\nsecond\nth\xffird\n")
    assert tail(path, 1000) == "first\nsecond\nth\ufffdird\n"
    assert tail(path, 10) == "th\ufffdird\n"


def test_parts_of_a_file_join_to_it_whatever_they_cut(tmp_path):
    text = "añ€😀\n" * 40
    path = tmp_path / "log"
    path.write_text(text)
    found, at = "", 0
    while at < path.stat().st_size:
        part = read_part(path, at, 5)
        assert part.offset == at < part.end
        found, at = found + part.text, part.end
    assert found == text


def test_half_a_character_waits_and_comes_at_the_end_of_a_whole_file(tmp_path):
    path = tmp_path / "log"
    path.write_bytes("ab€".encode()[:-1])
    assert (read_part(path, 0, 99).text, read_part(path, 0, 99).end) == ("ab", 2)
    assert (read_part(path, 0, 99, whole=True).text, read_part(path, 0, 99, whole=True).end) == ("ab�", 4)


def test_beyond_the_end_and_without_a_file_there_is_nothing(tmp_path):
    (tmp_path / "log").write_text("abc")
    assert read_part(tmp_path / "log", 7, 9) == Part(7, 7, 3, "")
    assert read_part(tmp_path / "none", 7, 9) == Part(7, 7, 0, "")
