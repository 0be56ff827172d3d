"""What a contract collects: who may be reported about how often, from when to when, and when the
records can be seen by questions.

Who may submit at all is the access policy's (the action `submit`). Values of the contract's custom
property `landbridgeCollection`; moments are UTC.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Final

from landbridge.levels import Level
from policies.contract import (
    Allotment,
    Collection,
    Column,
    Correctors,
    Disclosure,
    Method,
    Type,
)
from policies.links import Links
from policies.place import Place, listed

COLLECTION: Final = "landbridgeCollection"
PERIODS: Final = ("day", "month", "year", "never")
MAXIMUM_RECORDS: Final = 1_000_000_000
MAXIMUM_GRACE: Final = 24 * 366
MAXIMUM_SECONDS: Final = 366 * 86_400
LEAST_UNITS: Final = 10
"""Units of which something must have changed before a `cell_key` table is renewed, where the owner
says nothing of it: from two tables that differ by one unit, that unit can be read."""

_CORRECTORS: Final = tuple(each.value for each in Correctors)
_LENGTHS: Final = {"day": 10, "month": 7, "year": 4, "never": 0}
_DATED: Final = (Type.DATE, Type.TIMESTAMP)


def read_collection(
    place: Place,
    method: Method | None,
    disclosure: Disclosure,
    columns: Mapping[str, Column],
    links: Links,
) -> Collection | None:
    """The rules, or None where nothing is collected; whatever is wrong goes to the place."""
    if place.absent:
        return None
    place.only(("open", "close", "grace", "one", "correct", "quota", "visible", "caller"))
    if not isinstance(place.tree, dict):
        return None
    opens, closes = _moment(place.at("open")), _moment(place.at("close"))
    if opens and closes and opens >= closes:
        place.at("close").wrong("must be later than open.")
    found = Collection(
        opens=opens,
        closes=closes,
        grace=place.at("grace").integer(0, MAXIMUM_GRACE) or 0,
    )
    if found.grace and closes is None:
        place.at("grace").wrong("means nothing where the collection never closes.")
    found = _one(place.at("one"), found, columns)
    found = _correct(place.at("correct"), found)
    quota = place.at("quota")
    quota.only(("device", "organisation"))
    found = replace(
        found,
        device=_allotment(quota.at("device")),
        organisation=_allotment(quota.at("organisation")),
    )
    found = _visible(place.at("visible"), found, method, disclosure)
    found = _caller(place.at("caller"), place, found, columns)
    _loadable(place, found, columns, links)
    return found


def period_of(collection: Collection, value: date | None) -> str:
    """The period that a record is about, as text: 2026-05; empty where one is for ever."""
    length = _LENGTHS[collection.period]
    return "" if not length or value is None else value.isoformat()[:length]


def window(collection: Collection, captured: datetime, now: datetime) -> str:
    """OPEN, EARLY or LATE: whether a record that was made and came then is taken.

    What was made in time may come within the grace, for devices that were offline.
    """
    if collection.opens is not None and (captured < collection.opens or now < collection.opens):
        return "EARLY"
    if collection.closes is None:
        return "OPEN"
    came_late = now >= collection.closes + timedelta(hours=collection.grace)
    return "LATE" if captured >= collection.closes or came_late else "OPEN"


def correctable(collection: Collection, now: datetime) -> bool:
    """Whether corrections are taken at that moment."""
    if not collection.correctable:
        return False
    return collection.correct_until is None or now < collection.correct_until


def ends(collection: Collection) -> datetime | None:
    """From when on nothing is taken any more, corrections neither; None: never."""
    if collection.closes is None:
        return None
    closed = collection.closes + timedelta(hours=collection.grace)
    if not collection.correctable:
        return closed
    return None if collection.correct_until is None else max(closed, collection.correct_until)


class Turn(StrEnum):
    """What is to be done about the table that questions see."""

    NOTHING = "nothing"
    RENEW = "renew"
    """Whatever has changed."""
    RENEW_IF = "renew_if"
    """Where something of at least `least` units has changed."""


def turn(method: Method, collection: Collection, shown: datetime, now: datetime) -> Turn:
    """Whether a table that was last renewed at `shown` is to be renewed.

    `dp`: by the clock alone, so that a new version says nothing of whether anything came. `exact`:
    once, when nothing is taken any more: two exact tables differ by exactly who came between.
    """
    end = ends(collection)
    if end is not None and shown >= end:
        return Turn.NOTHING
    if method is Method.EXACT:
        return Turn.RENEW if end is not None and now >= end else Turn.NOTHING
    due = now >= shown + timedelta(seconds=collection.every) or (end is not None and now >= end)
    if not due:
        return Turn.NOTHING
    return Turn.RENEW if method is Method.DP else Turn.RENEW_IF


def _one(place: Place, found: Collection, columns: Mapping[str, Column]) -> Collection:
    place.only(("per", "period", "of"))
    if not isinstance(place.tree, dict):
        return found
    subject = []
    for entry in place.at("per").must("it names the columns of the subject").entries():
        name = entry.text()
        column = columns.get(name or "")
        if name is None:
            continue
        if column is None or name in subject:
            entry.wrong("must name a column of this contract, each once.")
        elif column.nullable:
            entry.wrong("must name a column that is required.")
        subject.append(name)
    period = place.at("period").word(PERIODS) or "never"
    of = place.at("of")
    name = of.text() or ""
    if period == "never":
        if not of.absent:
            of.wrong("must be left out where period is never.")
    else:
        column = columns.get(of.must("it names the date that the period is of").text() or "")
        if name and (column is None or column.type not in _DATED or column.nullable):
            of.wrong("must name a required date or timestamp column of this contract.")
    return replace(found, subject=tuple(subject), period=period, of=name)


def _caller(
    place: Place, whole: Place, found: Collection, columns: Mapping[str, Column]
) -> Collection:
    """The column of who hands in; nothing else may then name who that was, or their office."""
    name = place.text()
    if name is None:
        return found
    column = columns.get(name)
    if (
        column is None
        or column.type is not Type.TEXT
        or column.nullable
        or column.domain
        or column.level is not Level.SEALED
    ):
        place.wrong("must name a required, sealed text column of this contract, without an enum.")
    if found.correctable and (found.by is not Correctors.CONTRIBUTOR or found.also):
        whole.at("correct").wrong(
            "must be by the contributor alone where the contract fills in who hands in."
        )
    if found.organisation is not None:
        whole.at("quota").wrong(
            "must count devices alone where the contract fills in who hands in: no organisation is "
            "kept with a record."
        )
    return replace(found, caller=name)


def _correct(place: Place, found: Collection) -> Collection:
    place.only(("until", "by", "also"))
    if not isinstance(place.tree, dict):
        return found
    until = _moment(place.at("until"))
    if until is not None and found.closes is not None and until < found.closes:
        place.at("until").wrong("must not be earlier than close.")
    also = [entry.text() for entry in place.at("also").entries()] if place.at("also").tree else []
    return replace(
        found,
        correctable=True,
        correct_until=until,
        by=Correctors(place.at("by").word(_CORRECTORS) or Correctors.CONTRIBUTOR),
        also=frozenset(each for each in also if each),
    )


def _allotment(place: Place) -> Allotment | None:
    place.only(("records", "period"))
    if not isinstance(place.tree, dict):
        return None
    records = place.at("records").must("a quota counts records").integer(1, MAXIMUM_RECORDS)
    period = place.at("period").must(f"a quota is for a {listed(PERIODS)}").word(PERIODS)
    return Allotment(records or 1, period or "never")


def _visible(
    place: Place, found: Collection, method: Method | None, disclosure: Disclosure
) -> Collection:
    place.only(("seconds", "least"))
    seconds = place.at("seconds").integer(1, MAXIMUM_SECONDS)
    least = place.at("least").integer(1, MAXIMUM_RECORDS)
    tabular = method in (Method.CELL_KEY, Method.EXACT)
    if least is not None and method is Method.CELL_KEY and least < disclosure.minimum_units:
        place.at("least").wrong("must be at least landbridgeMinimumUnits.")
    if least is not None and method in (Method.DP, Method.EXACT):
        place.at("least").wrong(f"must be left out; it means nothing where method is {method}.")
    if method is Method.EXACT:
        if seconds is not None:
            place.at("seconds").wrong("must be left out where method is exact: it is shown once.")
        if ends(found) is None and not place.problems.found:
            place.wrong(
                "must belong to a collection that closes, and whose corrections end, where method "
                "is exact."
            )
    needed = max(LEAST_UNITS, disclosure.minimum_units) if tabular else 1
    return replace(found, every=seconds or found.every, least=least or needed)


def _loadable(place: Place, found: Collection, columns: Mapping[str, Column], links: Links) -> None:
    """What loading would refuse a whole table for, no contributor may be able to bring about."""
    for column in columns.values():
        if column.discovered:
            place.wrong(
                f"must not be there where the values of a column are found in the data "
                f"({column.name}): declare its enum."
            )
    wanted: list[tuple[str, Sequence[str]]] = [
        (column.name, (column.name,)) for column in columns.values() if column.unique
    ]
    wanted += [(", ".join(link.on), link.on) for link in links if link.unique]
    for name, key in wanted:
        if not found.subject or found.period != "never" or not set(found.subject) <= set(key):
            place.at("one").wrong(f"must be per {name}, for ever, because that is unique.")


def _moment(place: Place) -> datetime | None:
    text = place.text()
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        place.wrong("must be a date or a moment as ISO 8601 writes it, in quotes.")
        return None
