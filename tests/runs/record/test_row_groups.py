"""Rows by number, from files of one group and of several."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from runs.record.row_groups import spans, take

TABLE = pa.table({"n": range(10), "text": [f"row {n}" for n in range(10)]})


@pytest.fixture(params=[1, 3, 10])
def file(request, tmp_path):
    pq.write_table(TABLE, tmp_path / "t.parquet", row_group_size=request.param)
    with pq.ParquetFile(tmp_path / "t.parquet") as opened:
        yield opened


@pytest.mark.parametrize("rows", [[], [0], [9], [2, 3], [0, 5, 6, 9], list(range(10))])
def test_rows_come_in_their_order_whatever_the_groups(file, rows):
    assert [row for table in take(file, rows) for row in table.to_pylist()] == [
        {"n": n, "text": f"row {n}"} for n in rows
    ]
    assert [text for table in take(file, rows, ["text"]) for text in table["text"].to_pylist()] == [
        f"row {n}" for n in rows
    ]


def test_a_group_without_a_wanted_row_is_not_read(tmp_path):
    pq.write_table(TABLE, tmp_path / "t.parquet", row_group_size=4)
    with pq.ParquetFile(tmp_path / "t.parquet") as file:
        groups = list(spans(file))
        broken = [file.metadata.row_group(place).column(1).data_page_offset for place in (0, 2)]
    with (tmp_path / "t.parquet").open("r+b") as raw:
        for offset in broken:
            raw.seek(offset)
            raw.write(b"\xff" * 20)
    assert groups == [(0, 0, 4), (1, 4, 8), (2, 8, 10)]
    with pq.ParquetFile(tmp_path / "t.parquet") as file:
        assert [table["text"].to_pylist() for table in take(file, [4, 7])] == [["row 4", "row 7"]]
        with pytest.raises(OSError):
            list(take(file, [3]))
