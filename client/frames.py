"""Lists of answers that can be had as pandas tables. pandas is asked for only then."""

from collections.abc import Iterable
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Protocol, TypeVar

from pydantic import BaseModel

from client.errors import UsageError

Item = TypeVar("Item")


class Rows(list[Item]):
    """A list; and `to_frame()` is a table with a row for each item. Fields within fields are columns such as
    `summary.score`."""

    def to_frame(self) -> Any:
        plain = [item.model_dump() if isinstance(item, BaseModel) else vars(item) for item in self]
        return needed("pandas").json_normalize(plain)


class Columned(Protocol):
    def columns(self) -> dict[str, Any]: ...


Column = TypeVar("Column", bound=Columned)


class Columns(list[Column]):
    """Items that are columns themselves, such as curves: `to_frame()` is a row for each of their points."""

    def to_frame(self) -> Any:
        pandas = needed("pandas")
        return pandas.concat(
            [pandas.DataFrame(item.columns()) for item in self] or [pandas.DataFrame()], ignore_index=True
        )


def frame(rows: Iterable[dict[str, Any]]) -> Any:
    return needed("pandas").DataFrame(list(rows))


def needed(package: str, module: str | None = None, extra: str | None = None) -> Any:
    """A package that the client does without until something asks for it."""
    if find_spec(package) is None:
        raise UsageError(f"The package {package} is not installed here.", f"pip install 'trapo[{extra or package}]'.")
    return import_module(module or package)
