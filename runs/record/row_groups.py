"""Some rows of a Parquet file, by number. Only the groups of rows that hold one of them are read, one at a time. A file
of an older version is one group, so it is read whole."""

from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.parquet as pq


def spans(file: pq.ParquetFile) -> Iterator[tuple[int, int, int]]:
    """Of each group its place in the file, its first row, and the row behind its last."""
    first = 0
    for group in range(file.metadata.num_row_groups):
        last = first + file.metadata.row_group(group).num_rows
        yield group, first, last
        first = last


def take(file: pq.ParquetFile, rows: Sequence[int], columns: list[str] | None = None) -> Iterator[pa.Table]:
    """The rows, which rise, in a table for each group that has any; all columns if none are named."""
    for group, first, last in spans(file):
        wanted = [row - first for row in rows if first <= row < last]
        if wanted:
            yield file.read_row_group(group, columns).take(wanted)
