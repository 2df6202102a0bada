"""All rows of all tables as lines of JSON that no longer tell which database they are from, and back.

Values are those of the database, exactly: a JSON column is the text as it is stored, a time the seconds since 1970, and
a number that is not finite is its name. Rows come in the order of their keys, so that equal contents give equal lines.
"""

import json
import math
from collections.abc import Iterable, Iterator
from typing import Any

from sqlalchemy import JSON, Column, Connection, String, Table, Text, cast, collate, column, func, select, table
from sqlalchemy import text as sql

from runs.tables import Base

TABLES = [*Base.metadata.sorted_tables]  # parents before what refers to them
AT_ONCE = 1000


def layout() -> dict[str, dict[str, str]]:
    """Table to column to `json` or `plain`, as the newest schema has them."""
    return {one.name: {c.name: "json" if isinstance(c.type, JSON) else "plain" for c in one.columns} for one in TABLES}


def lines(connection: Connection, which: Table) -> Iterator[bytes]:
    """The rows of a table, one after the other from the server."""
    bare = table(which.name, *[column(one.name) for one in which.columns])
    wanted = [cast(bare.c[c.name], Text) if isinstance(c.type, JSON) else bare.c[c.name] for c in which.columns]
    query = select(*wanted).order_by(*[_ordered(connection, c) for c in which.primary_key.columns])
    for row in connection.execute(query.execution_options(stream_results=True, yield_per=AT_ONCE)):
        yield json.dumps([_told(value) for value in row], ensure_ascii=False, separators=(",", ":")).encode()


def insert_lines(connection: Connection, name: str, columns: dict[str, str], rows: Iterable[bytes]) -> int:
    """How many they were. `columns` is the layout that the lines were written by."""
    quote = connection.dialect.identifier_preparer.quote
    # JSON is bound as text: as JSON it would be written anew.
    cast_json = connection.dialect.name == "postgresql"
    kinds = enumerate(columns.values())
    places = [f"CAST(:p{at} AS JSON)" if kind == "json" and cast_json else f":p{at}" for at, kind in kinds]
    statement = sql(f"INSERT INTO {quote(name)} ({', '.join(map(quote, columns))}) VALUES ({', '.join(places)})")
    names = [f"p{at}" for at in range(len(columns))]
    batch: list[dict[str, Any]] = []
    count = 0
    for line in rows:
        batch.append(dict(zip(names, map(_meant, json.loads(line)), strict=True)))
        if len(batch) == AT_ONCE:
            count += _insert(connection, statement, batch)
    return count + _insert(connection, statement, batch)


def positions(connection: Connection) -> dict[str, int]:
    """The last number that each numbered table has given out, by table."""
    found = {}
    for name, key in _numbered():
        if connection.dialect.name == "sqlite":
            query = sql("SELECT seq FROM sqlite_sequence WHERE name = :name").bindparams(name=name)
        else:
            query = sql(f"SELECT last_value FROM {_sequence(connection, name, key)} WHERE is_called")
        found[name] = connection.scalar(query) or 0
    return found


def set_positions(connection: Connection, least: dict[str, int]) -> None:
    """Go on behind these numbers and behind the highest there are."""
    for name, key in _numbered():
        highest = connection.scalar(select(func.max(table(name, column(key)).c[key]))) or 0
        last = max(least.get(name, 0), highest)
        if not last:
            continue
        if connection.dialect.name == "sqlite":
            connection.execute(sql("DELETE FROM sqlite_sequence WHERE name = :name").bindparams(name=name))
            connection.execute(
                sql("INSERT INTO sqlite_sequence (name, seq) VALUES (:name, :seq)").bindparams(name=name, seq=last)
            )
        else:
            connection.execute(select(func.setval(_sequence(connection, name, key), last)))


def _numbered() -> Iterator[tuple[str, str]]:
    """Tables whose rows the database numbers, with the column of the number."""
    return ((one.name, c.name) for one in TABLES for c in one.columns if c.identity is not None)


def _sequence(connection: Connection, name: str, key: str) -> str:
    return str(connection.scalar(select(func.pg_get_serial_sequence(name, key))))


def _ordered(connection: Connection, key: Column[Any]) -> Any:
    """By bytes in both databases; PostgreSQL would sort by its locale."""
    bare: Any = column(key.name)
    return collate(bare, "C") if isinstance(key.type, String) and connection.dialect.name == "postgresql" else bare


def _insert(connection: Connection, statement: Any, batch: list[dict[str, Any]]) -> int:
    count = len(batch)
    if count:
        connection.execute(statement, batch)
    batch.clear()
    return count


def _told(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return {"float": str(value)}
    return value


def _meant(value: Any) -> Any:
    return float(value["float"]) if isinstance(value, dict) else value
