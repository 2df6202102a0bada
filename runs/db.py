"""The database: one engine, and two ways in.

`reading(engine)` only looks. `writing(engine)` is one writer at a time on both engines (SQLite: BEGIN IMMEDIATE;
PostgreSQL: an advisory lock for the transaction): so event numbers become visible in their order, and two writers never
deadlock. Writes are therefore short: work first, then write.

Times are seconds since 1970 as the database's own clock tells them; Python's clock is never compared with a lease.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Double, Engine, create_engine, event, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import make_url
from sqlalchemy.exc import IntegrityError, InterfaceError, InternalError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnectionError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import DeclarativeBase, Session
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator

# What a database that is away for a moment raises, or one whose connections are all in use; everything else is a
# mistake of ours.
AWAY = (OperationalError, InterfaceError, InternalError, NoConnectionError)
WRITER_LOCK = 0x7472_6170_6F  # "trapo"
# Connections that a process keeps. Those above are closed after each use, and PostgreSQL forks a process for each: a
# crowd of requests then waits for forks.
POOL = 20
# Of a host that vanishes without a word: else the kernel hopes for a quarter of an hour. An answer may still take as
# long as it likes; what counts is that the host acknowledges nothing, or takes in nothing. A URL may say otherwise.
NETWORK = {
    "connect_timeout": 5, "tcp_user_timeout": 10_000, "keepalives": 1, "keepalives_idle": 10, "keepalives_interval": 5,
    "keepalives_count": 2,
}  # fmt: skip
LEAVE = "ON CONFLICT DO NOTHING"
AUTHOR = "trapo_author"
_WRITING = "trapo_writing"
Rows = list[tuple[Any, ...]]  # values in the order of some columns' names
to_json = partial(json.dumps, allow_nan=False, separators=(",", ":"))


def make_engine(database_url: str) -> Engine:
    url = make_url(database_url)
    if url.get_backend_name() == "sqlite":
        Path(url.database or "").parent.mkdir(parents=True, exist_ok=True)
        engine = create_engine(url, json_serializer=to_json, connect_args={"timeout": 30, "check_same_thread": False})
        event.listen(engine, "connect", _set_up_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    url = url.set(drivername="postgresql+psycopg")
    # A writer that hangs must not stop everybody: PostgreSQL ends it, and its supervisor sees the loss.
    options = "-c lock_timeout=15s -c idle_in_transaction_session_timeout=30s"
    arguments = {"options": options} | {name: value for name, value in NETWORK.items() if name not in url.query}
    return create_engine(url, json_serializer=to_json, pool_pre_ping=True, pool_size=POOL, connect_args=arguments)


@contextmanager
def reading(engine: Engine) -> Iterator[Session]:
    """On SQLite a snapshot. PostgreSQL shows each statement the newest anyway, so there no transaction is begun or
    ended: most of a request's time is waiting for its answers."""
    if engine.dialect.name == "postgresql":
        engine = engine.execution_options(isolation_level="AUTOCOMMIT")
    with Session(engine, expire_on_commit=False) as session:
        yield session


@contextmanager
def writing(engine: Engine) -> Iterator[Session]:
    """Commits at the end, rolls back on any error. An engine with an author notes its deed in the same transaction."""
    with Session(engine.execution_options(**{_WRITING: True}), expire_on_commit=False) as session, session.begin():
        session.connection()  # begins now, not at the first statement: what the caller looks at must not change
        if engine.dialect.name == "postgresql":
            session.execute(select(func.pg_advisory_xact_lock(WRITER_LOCK)))
        yield session
        if author := engine.get_execution_options().get(AUTHOR):
            author.note(session)


def insert_new(session: Session, row: type[DeclarativeBase], rows: list[dict[str, Any]]) -> None:
    """Insert `rows`, leaving those whose key is there already as they are."""
    if rows:
        dialect = sqlite if session.get_bind().dialect.name == "sqlite" else postgresql
        session.connection().execute(dialect.insert(row.__table__).on_conflict_do_nothing(), rows)


def insert_many(session: Session, row: type[DeclarativeBase], names: Sequence[str], rows: Rows) -> None:
    """Like `insert_new`, for many rows of numbers and texts (of JSON its text): nothing is done for each of them by
    the ORM, and PostgreSQL gets one statement."""
    if not rows:
        return
    database = session.connection()
    if database.dialect.name == "sqlite":
        return _insert(database, row, names, rows, LEAVE)
    try:
        with database.begin_nested():
            _insert(database, row, names, rows)
    except IntegrityError:
        # One is there, which hardly ever happens, and to be ready for it costs as much again as the rows.
        _insert(database, row, names, rows, LEAVE)


def upsert_many(
    session: Session, row: type[DeclarativeBase], names: Sequence[str], rows: Rows, fresh: Sequence[str]
) -> None:
    """The same; of those whose key is there already, the columns `fresh` become what they are here. No key twice."""
    if rows:
        key = ", ".join(column.name for column in row.__table__.primary_key)
        put = ", ".join(f"{name} = excluded.{name}" for name in fresh)
        _insert(session.connection(), row, names, rows, f"ON CONFLICT ({key}) DO UPDATE SET {put}")


def _insert(
    database: Connection, row: type[DeclarativeBase], names: Sequence[str], rows: Rows, on_conflict: str = ""
) -> None:
    into = f"INSERT INTO {row.__tablename__} ({', '.join(names)})"
    if database.dialect.name == "sqlite":
        marks = ", ".join("?" * len(names))
        database.exec_driver_sql(f"{into} VALUES ({marks}) {on_conflict}", rows)
        return
    types = (row.__table__.c[name].type.compile(database.dialect) for name in names)
    columns = ", ".join(f"%s::{type_}[]" for type_ in types)
    values = tuple(_array(column) for column in zip(*rows, strict=True))
    database.exec_driver_sql(f"{into} SELECT * FROM unnest({columns}) {on_conflict}", values)


def _array(column: Sequence[Any]) -> str:
    """As PostgreSQL writes one. The driver's own way looks at each number for quotes."""
    if any(isinstance(value, str) for value in column):
        return f"{{{','.join(map(_quoted, column))}}}"
    return f"{{{json.dumps(column)[1:-1]}}}"


def _quoted(text: str | None) -> str:
    return "NULL" if text is None else '"' + text.replace("\\", r"\\").replace('"', r"\"") + '"'


def storable(text: str) -> str:
    """What a process wrote, as every database takes it: PostgreSQL has no NUL, and nobody a lone surrogate, as Python
    gives for bytes of a file's name that are no UTF-8."""
    return text.replace("\0", "\ufffd").encode(errors="replace").decode()


class Instant(TypeDecorator[datetime]):
    """A point in time: seconds since 1970 in the database, an aware UTC datetime in Python."""

    impl = Double
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> float | None:  # noqa: ARG002
        return None if value is None else value.timestamp()

    def process_result_value(self, value: float | None, dialect: Any) -> datetime | None:  # noqa: ARG002
        return None if value is None else datetime.fromtimestamp(value, UTC)


class now(FunctionElement[float]):
    """The database's clock, in seconds since 1970."""

    type = Double()
    inherit_cache = True
    name = "trapo_now"


@compiles(now, "sqlite")
def _now_sqlite(element: now, compiler: Any, **_: Any) -> str:  # noqa: ARG001
    return "((julianday('now') - 2440587.5) * 86400.0)"


@compiles(now, "postgresql")
def _now_postgresql(element: now, compiler: Any, **_: Any) -> str:  # noqa: ARG001
    return "extract(epoch from clock_timestamp())::double precision"


def database_time(session: Session) -> float:
    return float(session.scalar(select(now())) or 0.0)


def _set_up_sqlite(connection: Any, _: Any) -> None:
    connection.isolation_level = None  # we say BEGIN ourselves, so that a write can be IMMEDIATE
    # Mapped: a connection's own cache is small, and void as soon as another process has written.
    mapped = f"mmap_size={1 << 28}"
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "busy_timeout=30000", "foreign_keys=ON", mapped):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    immediate = connection.get_execution_options().get(_WRITING)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")
