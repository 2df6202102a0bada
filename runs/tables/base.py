"""What all tables have in common: names of constraints, and how Python's types are stored."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Double, ForeignKey, Integer, MetaData
from sqlalchemy.orm import DeclarativeBase

from runs.db import Instant

# SQLite numbers rows by itself only for the exact type INTEGER.
Serial = BigInteger().with_variant(Integer, "sqlite")


def of_run() -> ForeignKey:
    return ForeignKey("runs.id", ondelete="CASCADE")


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012
        datetime: Instant,
        dict[str, Any]: JSON(none_as_null=True),
        list[str]: JSON(),
        list[int]: JSON(),
        list[float]: JSON(),
        list[list[int]]: JSON(),
        list[dict[str, Any]]: JSON(),
        float: Double(),
    }
