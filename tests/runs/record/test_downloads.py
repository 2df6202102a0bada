"""A tar that was never written is a tar, from whichever byte it is read."""

import hashlib
import io
import tarfile
from concurrent.futures import ThreadPoolExecutor

import pytest

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


def test_those_who_ask_at_once_let_the_file_be_read_once(tmp_path, monkeypatch):
    path, reads, read = tmp_path / "f", [], downloads.read
    path.write_bytes(b"x" * downloads.CHUNK * 8)
    monkeypatch.setattr(downloads, "read", lambda *asked: reads.append(asked) or read(*asked))
    with ThreadPoolExecutor(4) as pool:
        digests = set(pool.map(lambda _: downloads.sha256(downloads.of_file(path)), range(4)))
    assert digests == {hashlib.sha256(path.read_bytes()).digest()}
    assert len(reads) == 1
