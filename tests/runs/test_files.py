"""The end of a log, from a whole line on."""

from runs.files import Part, log_path, read_before, read_part, tail


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


def test_backwards_a_log_comes_in_whole_lines(tmp_path):
    path = tmp_path / "log"
    text = "".join(f"Zeile {number} ü\n" for number in range(50)) + "no end"
    path.write_text(text)
    size = path.stat().st_size
    parts, end = [], size
    while end > 0:
        part = read_before(path, end, 64)
        assert (part.end, part.size) == (end, size)
        assert end - part.offset <= 64
        parts.insert(0, part.text)
        end = part.offset
    assert "".join(parts) == text
    assert all(part.startswith("Zeile") for part in parts)


def test_backwards_nothing_is_lost_of_a_long_line_or_a_cut_character(tmp_path):
    path = tmp_path / "log"
    path.write_bytes("üüüü".encode() + "ü".encode()[:1])
    part = read_before(path, 1 << 60, 4)
    assert (part.text, part.offset, part.end, part.size) == ("ü", 6, 8, 9)
    assert read_before(path, 6, 100).text == "üüü"
    assert read_before(path, 1 << 60, 4, whole=True).text.endswith("\ufffd")
    assert read_before(tmp_path / "none", 9, 9).size == 0
