"""The day that data are of, as their owner says, and how it is named beside whose they are.

A day is RFC 3339's full-date: `2026-10-31`. Nobody's data are of the day on which they were loaded:
what is not said is empty.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from typing import Final

AsOf = Mapping[str, str]
"""The day of a contract's data at all departments, by its id; where departments' days differ, of
each "department.contract". Empty where owners did not say."""

_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def is_day(text: str) -> bool:
    """Whether it is a day, spelt in full."""
    if not _DAY.fullmatch(text):
        return False
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def table(department: str, contract: str) -> str:
    """One department's data, as `AsOf` names them."""
    return f"{department}.{contract}"


def planned_for(as_of: AsOf, department: str, contract: str) -> str | None:
    """The day named for a department's table, empty for no day; None where it is not named."""
    return as_of.get(table(department, contract), as_of.get(contract))
