"""A cursor says where a page ended; one that nobody was given is refused before a database sees it."""

import base64
import json

import pytest

from runs import cursors
from runs.errors import CursorError


def forged(*parts):
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode()


@pytest.mark.parametrize(
    ("kind", "value"), [(str, "größe"), (int, -3), (float, 0.1 + 0.2), (float, 1e300), (float, float("inf"))]
)
def test_what_is_written_is_read(kind, value):
    assert cursors.read(cursors.write("-s", value, "run_1"), "-s", kind) == (value, "run_1")


@pytest.mark.parametrize(
    ("kind", "value", "last_id"),
    [
        (int, 10**30, "r"), (int, 2**31, "r"), (int, -(2**31), "r"), (int, True, "r"), (int, 1.5, "r"), (float, 1, "r"),
        (float, 10**400, "r"), (float, True, "r"), (float, None, "r"), (str, "\ud800", "r"), (str, "a\0", "r"),
        (str, 1, "r"), (str, "a", "\udfff"), (str, "a", "\0"), (str, "a", 1), (str, ["a"], "r"),
    ],
)  # fmt: skip
def test_a_value_that_no_database_could_compare_is_refused(kind, value, last_id):
    with pytest.raises(CursorError, match="Begin again"):
        cursors.read(forged("s", value, last_id), "s", kind, below=2**31)


@pytest.mark.parametrize("text", ["x", "WzFd", "\u00e9", base64.urlsafe_b64encode(b"[" * 100_000).decode()])
def test_what_is_no_cursor_is_refused(text):
    with pytest.raises(CursorError):
        cursors.read(text, "s", str)
