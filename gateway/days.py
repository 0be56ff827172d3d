"""Of which day the data of a plan are; the parts of one answer are of one, unless it is said."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from gateway.catalogue import Catalogue
from landbridge.days import AsOf, table
from landbridge.errors import LandbridgeError, error


def days_of(known: Catalogue, tables: Iterable[tuple[str, str]]) -> AsOf:
    """The day of each (department, contract), empty where its owner did not say; nothing at all
    where nobody did. A department that never described itself is left out.
    """
    found = {
        table(department, contract): known.offers[department].as_of.get(contract, "")
        for department, contract in tables
        if department in known.offers
    }
    return found if any(found.values()) else {}


def require_one_day(as_of: AsOf, *, mixed: bool) -> None:
    """Raises DATES_DIFFER where data are of several days, and nobody takes `mixed` ones."""
    if mixed or len({*as_of.values()}) < 2:
        return
    raise error(
        "DATES_DIFFER",
        f"The data are not all of one day: {spoken(as_of)}.",
        hint="Wait until all are of one day, or ask with mixed_dates=True.",
    )


def spoken(as_of: AsOf) -> str:
    """In words: the day, where there is one, or whose data are of which."""
    if len({*as_of.values()}) == 1:
        return next(iter(as_of.values()))
    return ", ".join(f"{name} {day or 'of a day not said'}" for name, day in as_of.items())


def date_changed(names: Sequence[str]) -> LandbridgeError:
    """These have loaded data of another day since the gateway asked them."""
    return error(
        "DATE_CHANGED",
        f"The data of {', '.join(names)} are of another day than the gateway knew; nothing was "
        "charged there.",
        missing=names,
        hint="Ask again in a moment: the gateway is asking for the new day.",
    )
