"""The types of PEP 249: what a column's type compares with, and how parameters are made."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from typing import Final

from landbridge.answers import ColumnType


class Kind:
    """Equal to the type of every column of its kind, as in `cursor.description`."""

    def __init__(self, *types: ColumnType) -> None:
        self._types = frozenset(types)

    def __eq__(self, other: object) -> bool:
        return other is self or other in self._types

    def __hash__(self) -> int:
        return hash(self._types)


STRING: Final = Kind(ColumnType.TEXT)
BINARY: Final = Kind()
NUMBER: Final = Kind(ColumnType.INTEGER, ColumnType.REAL, ColumnType.BOOLEAN)
DATETIME: Final = Kind(ColumnType.DATE, ColumnType.TIMESTAMP)
ROWID: Final = Kind()

Date = date
Time = time
Binary = bytes


def Timestamp(  # noqa: N802 - the name is PEP 249's
    year: int, month: int, day: int, hour: int, minute: int, second: int
) -> datetime:
    """A moment, UTC."""
    return datetime(year, month, day, hour, minute, second, tzinfo=UTC)


def DateFromTicks(ticks: float) -> date:  # noqa: N802
    """The day, UTC, of so many seconds since 1970."""
    return datetime.fromtimestamp(ticks, UTC).date()


def TimeFromTicks(ticks: float) -> time:  # noqa: N802
    """The time of day, UTC."""
    return datetime.fromtimestamp(ticks, UTC).time()


def TimestampFromTicks(ticks: float) -> datetime:  # noqa: N802
    """The moment, UTC."""
    return datetime.fromtimestamp(ticks, UTC)
