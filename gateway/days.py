"""Of which day the data of a plan are; the parts of one answer are of one, unless it is said."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from gateway.catalogue import Catalogue
from landbridge.days import AsOf, table
from landbridge.errors import LandbridgeError, error

MOST: Final = 100
"""Tables of several days in one answer: each is named to every department and in the log."""
_SHOWN: Final = 3
"""Names beside a day, in words."""


def days_of(known: Catalogue, tables: Iterable[tuple[str, str]]) -> AsOf:
    """The day of each (department, contract), empty where its owner did not say; nothing at all
    where nobody did. A department that never described itself is left out.
    """
    found: dict[str, dict[str, str]] = {}
    for department, contract in tables:
        if department in known.offers:
            day = known.offers[department].as_of.get(contract, "")
            found.setdefault(contract, {})[department] = day
    if not any(day for days in found.values() for day in days.values()):
        return {}
    told: dict[str, str] = {}
    for contract, days in found.items():
        if len({*days.values()}) == 1:
            told[contract] = next(iter(days.values()))
        else:
            told |= {table(department, contract): day for department, day in days.items()}
    return told


def require_one_day(as_of: AsOf, *, mixed: bool) -> None:
    """Raises DATES_DIFFER where data are of several days, and nobody takes `mixed` ones."""
    if len({*as_of.values()}) < 2 or (mixed and len(as_of) <= MOST):
        return
    raise error(
        "DATES_DIFFER",
        f"The data are not all of one day: {spoken(as_of)}.",
        hint=f"Ask fewer departments: mixed_dates takes at most {MOST} tables."
        if mixed
        else "Wait until all are of one day, or ask with mixed_dates=True.",
    )


def spoken(as_of: AsOf) -> str:
    """In words: the day, where there is one, or whose data are of which."""
    by_day: dict[str, list[str]] = {}
    for name, day in as_of.items():
        by_day.setdefault(day, []).append(name)
    if len(by_day) == 1:
        return next(iter(by_day))
    return "; ".join(f"{day or 'not said'} ({_some(names)})" for day, names in by_day.items())


def _some(names: Sequence[str]) -> str:
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def date_changed(names: Sequence[str]) -> LandbridgeError:
    """These have loaded data of another day since the gateway asked them."""
    return error(
        "DATE_CHANGED",
        f"The data of {', '.join(names)} are of another day than the gateway knew; nothing was "
        "charged there.",
        missing=names,
        hint="Ask again in a moment: the gateway is asking for the new day.",
    )
