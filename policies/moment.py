"""When somebody asks, as an access policy may look at it: whole hours, UTC."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NamedTuple


class Moment(NamedTuple):
    """A day as a number, year month day (20261231); the hour, 0 to 23; the weekday, Monday is 1."""

    date: int
    hour: int
    weekday: int

    @classmethod
    def at(cls, seconds: float) -> Moment:
        """The moment that many seconds after 1970 began."""
        when = datetime.fromtimestamp(seconds, UTC)
        return cls(when.year * 10_000 + when.month * 100 + when.day, when.hour, when.isoweekday())
