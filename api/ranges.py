"""Answers that can be asked for in parts: Range, If-Range, and the checksum of the whole."""

import base64
import re
from collections.abc import Mapping
from typing import Any

from fastapi.responses import StreamingResponse
from starlette.exceptions import HTTPException

from runs.record import downloads
from runs.record.downloads import Pieces

# What `download` answers, for the documentation.
BYTES: dict[int | str, dict[str, Any]] = {
    200: {"description": "The whole.", "content": {"application/octet-stream": {}}},
    206: {"description": "The range that was asked for.", "content": {"application/octet-stream": {}}},
    416: {"description": "The range begins beyond the end."},
}
_ONE_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


def download(pieces: Pieces, name: str, media_type: str, headers: Mapping[str, str]) -> StreamingResponse:
    """The whole, or the one range that `headers` ask for. `Repr-Digest` (RFC 9530) is of the whole.
    NotYetError while another request is finding it."""
    size, digest = downloads.length(pieces), downloads.sha256(pieces)
    etag = f'"{digest.hex()}"'
    start, end = asked_range(headers, size, etag) or (0, size)
    answer = {
        "Content-Length": str(end - start),
        "Accept-Ranges": "bytes",
        "ETag": etag,
        "Repr-Digest": f"sha-256=:{base64.b64encode(digest).decode()}:",
        "Content-Disposition": f'attachment; filename="{name}"',
    }
    partial = end - start < size
    if partial:
        answer["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
    return StreamingResponse(downloads.read(pieces, start, end), 206 if partial else 200, answer, media_type)


def asked_range(headers: Mapping[str, str], size: int, etag: str) -> tuple[int, int] | None:
    """[start, end), or None for the whole: no range, several, or one of a representation that is no longer ours.
    HTTPException 416 if it lies beyond the end."""
    found = _ONE_RANGE.fullmatch(headers.get("range", "").replace(" ", ""))
    if found is None or found.groups() == ("", "") or headers.get("if-range", etag) != etag:
        return None
    first, last = found.groups()
    start = int(first) if first else max(0, size - int(last))
    end = min(size, int(last) + 1) if first and last else size
    if start >= end:
        raise HTTPException(416, f"it has {size} bytes", {"Content-Range": f"bytes */{size}"})
    return start, end
