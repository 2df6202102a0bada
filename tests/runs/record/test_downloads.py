"""A tar that was never written is a tar, from whichever byte it is read."""

import hashlib
import io
import tarfile
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from runs.errors import NotYetError
from runs.record import downloads


@pytest.fixture
def files(tmp_path):
    found = {"a.txt": b"x" * 1000, "trainer/empty": b"", "b" * 150: b"y" * 512}
    (tmp_path / "trainer").mkdir()
    for name, data in found.items():
        (tmp_path / name).write_bytes(data)
    return {name: tmp_path / name for name in found}


def test_a_tar_has_the_files_and_the_length_it_says(files):
    pieces = downloads.of_tar(files, "step-1")
    data = b"".join(downloads.read(pieces, 0, downloads.length(pieces)))
    assert len(data) == downloads.length(pieces)
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        assert {m.name: tar.extractfile(m).read() for m in tar} == {
            f"step-1/{name}": path.read_bytes() for name, path in files.items()
        }
    assert downloads.sha256(pieces) == hashlib.sha256(data).digest()


def test_any_part_of_it_is_that_part(files):
    pieces = downloads.of_tar(files, "s")
    data = b"".join(downloads.read(pieces, 0, downloads.length(pieces)))
    for start, end in ((0, 1), (511, 513), (400, 2600), (len(data) - 1, len(data)), (7, 7)):
        assert b"".join(downloads.read(pieces, start, end)) == data[start:end]


def test_the_checksum_follows_the_file(tmp_path):
    path = tmp_path / "f"
    path.write_bytes(b"one")
    before = downloads.sha256(downloads.of_file(path))
    path.write_bytes(b"other")
    assert downloads.sha256(downloads.of_file(path)) != before


@pytest.fixture
def gate(monkeypatch):
    """What a disk does not give out of files called slow… until it is set."""
    opened, read = Event(), downloads.read

    def slow(pieces, *part):
        assert not pieces[0].path.name.startswith("slow") or opened.wait(30)
        return read(pieces, *part)

    monkeypatch.setattr(downloads, "read", slow)
    return opened


@pytest.fixture
def pieces(tmp_path):
    def make(name):
        (tmp_path / name).write_text(name)
        return downloads.of_file(tmp_path / name)

    return make


def sha256_of(text):
    return hashlib.sha256(text.encode()).digest()


def test_who_asks_meanwhile_is_sent_away_and_has_it_when_it_is_read(pieces, gate, until):
    digests, slow = downloads.Digests(), pieces("slow")
    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(digests.of, slow)
        until(lambda: digests._being_read)
        with pytest.raises(NotYetError):
            digests.of(slow)
        gate.set()
        assert reading.result() == sha256_of("slow")
    assert digests.of(slow) == sha256_of("slow")


def test_files_do_not_wait_for_each_other_but_only_so_many_are_read_at_once(pieces, gate, until):
    digests = downloads.Digests()
    slow = [pieces(f"slow{n}") for n in range(downloads.AT_ONCE)]
    with ThreadPoolExecutor(downloads.AT_ONCE) as pool:
        readings = [pool.submit(digests.of, one) for one in slow[1:]]
        until(lambda: len(digests._being_read) == len(readings))
        known = pieces("known")
        assert digests.of(known) == sha256_of("known")
        readings.append(pool.submit(digests.of, slow[0]))
        until(lambda: len(digests._being_read) == downloads.AT_ONCE)
        with pytest.raises(NotYetError):
            digests.of(pieces("unknown"))
        assert digests.of(known) == sha256_of("known"), "it needs no reading"
        gate.set()
    assert [reading.result() for reading in readings] == [sha256_of(f"slow{n}") for n in (1, 2, 3, 0)]
    assert digests.of(pieces("unknown")) == sha256_of("unknown")


def test_a_file_that_cannot_be_read_is_in_nobodys_way(tmp_path):
    digests, gone = downloads.Digests(), (downloads.Piece(4, path=tmp_path / "gone"),)
    for _ in range(downloads.AT_ONCE + 1):
        with pytest.raises(FileNotFoundError):
            digests.of(gone)


def test_those_who_ask_at_once_for_a_small_file_let_it_be_read_once(tmp_path, monkeypatch):
    path, reads, read = tmp_path / "f", [], downloads.read
    path.write_bytes(b"x" * downloads.CHUNK)
    monkeypatch.setattr(downloads, "MOMENT_S", 30)  # of a machine that is busy otherwise
    monkeypatch.setattr(downloads, "read", lambda *asked: reads.append(asked) or read(*asked))
    with ThreadPoolExecutor(4) as pool:
        digests = set(pool.map(lambda _: downloads.sha256(downloads.of_file(path)), range(4)))
    assert digests == {hashlib.sha256(path.read_bytes()).digest()}
    assert len(reads) == 1


def test_only_so_many_digests_are_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(downloads, "KNOWN", 2)
    digests = downloads.Digests()
    for name in "abc":
        (tmp_path / name).write_text(name)
        digests.of(downloads.of_file(tmp_path / name))
    assert len(digests._known) == 2
