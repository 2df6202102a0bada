"""Cursors of sorted lists: where a page ended, as text that a caller hands back. Nobody signs it, so it may be forged:
what no database could compare is refused here."""

import base64
import json
from typing import Any

from runs.errors import CursorError


def write(sort: str, value: Any, last_id: str) -> str:
    """`value` is what the last row of the page is sorted by."""
    return base64.urlsafe_b64encode(json.dumps([sort, value, last_id]).encode()).decode()


def read(cursor: str, sort: str, kind: type[str] | type[int] | type[float], below: int = 2**63) -> tuple[Any, str]:
    """The value, of this kind, and the id. `below`: what an integer of its column cannot reach, on either side."""
    try:
        of_sort, value, last_id = json.loads(base64.urlsafe_b64decode(cursor))
    except (ValueError, TypeError, RecursionError) as error:
        raise CursorError("This is no cursor of ours.", "Take `next_cursor` of the page before, as it is.") from error
    if of_sort != sort or not (_fits(value, kind, below) and _fits(last_id, str, below)):
        raise CursorError(f"This cursor is not of a list sorted by {sort}.", "Begin again without a cursor.")
    return value, last_id


def _fits(value: Any, kind: type[str] | type[int] | type[float], below: int) -> bool:
    if type(value) is not kind:  # true is an int to Python, and to no database
        return False
    if isinstance(value, str):
        return "\0" not in value and not any("\ud800" <= letter <= "\udfff" for letter in value)
    return isinstance(value, float) or abs(value) < below
