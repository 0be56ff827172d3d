"""The search of the log page: what an address asks for, and the address that asks for it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import urlencode

from gateway.console.index import Wanted
from landbridge.errors import error
from landbridge.evidence.kind import KINDS
from landbridge.evidence.selection import Selection
from landbridge.evidence.subject import SubjectKey
from landbridge.web.asking import Ask

_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_MADE: Final = re.compile(r"(?:[a-z][a-z0-9_]{0,30}\.)?[0-9a-f]{32}(?:[0-9a-f]{32})?")
"""Digests, and ids that programs make."""
_NAMES: Final = {
    "kind": "kinds",
    "outcome": "outcomes",
    "organisation": "organisations",
    "purpose": "purposes",
    "resource": "resources",
    "question_id": "question_ids",
    "trace_id": "trace_ids",
    "caller": "callers",
    "subject": "subjects",
}
"""A word of the address, as `landbridge log search` has it as an option, to the selection's."""
MOST_VALUES: Final = 50
LONGEST: Final = 300


@dataclass(frozen=True, slots=True)
class Search:
    """A search: what is wanted, and its parts as the address spells them.

    Persons stand in `parts` as keyed digests, whatever was typed: an address is kept in histories.
    """

    wanted: Wanted
    parts: tuple[tuple[str, str], ...]
    before: int = 0

    @property
    def query(self) -> str:
        """The address's query, without the place in the list."""
        return urlencode(self.parts)

    def noted(self, known: Callable[[str, str], bool], digest: Callable[[str], str]) -> str:
        """The query as it may stand in a log: what nobody knows there is digested.

        Somebody may type a person's name into any field.
        """
        return urlencode(
            [
                (name, value if _plain(name, value, known) else f"digest:{digest(value)}")
                for name, value in self.parts
            ]
        )

    def link(self, **changes: str) -> str:
        """The query with these set instead, or left out where they are empty."""
        kept = [(name, value) for name, value in self.parts if name not in changes]
        return urlencode([*kept, *((name, value) for name, value in changes.items() if value)])

    def has(self, name: str, value: str) -> bool:
        """Whether this is among what is searched for."""
        return (name, value) in self.parts

    def value(self, name: str) -> str:
        """The first such part, for the form."""
        return next((value for each, value in self.parts if each == name), "")


class Searching:
    """Reads searches. `keys` are the log's keys for persons, the months' and the lasting one."""

    def __init__(self, keys: Sequence[SubjectKey]) -> None:
        self._keys = tuple(keys)

    def read(self, ask: Ask, departments: frozenset[str] | None) -> Search:
        """The search of that address; raises INVALID_ARGUMENT with what is wrong."""
        parts: list[tuple[str, str]] = []
        chosen: dict[str, frozenset[str]] = {}
        for name, field in _NAMES.items():
            values = [each for each in ask.query.get(name, ()) if each][:MOST_VALUES]
            if any(len(each) > LONGEST for each in values):
                raise error("INVALID_ARGUMENT", "What is searched for is too long.")
            if name == "kind" and not KINDS.keys() >= set(values):
                raise error("INVALID_ARGUMENT", "There is no such kind of entry.")
            if name in ("caller", "subject"):
                values = sorted(self._digests(values, "caller" if name == "caller" else None))
            parts += [(name, each) for each in values]
            chosen[field] = frozenset(values)
        since, until = (_moment(ask.one(name)) for name in ("from", "to"))
        parts += [(name, ask.one(name)) for name in ("from", "to") if ask.one(name)]
        matters = frozenset(each[:LONGEST] for each in ask.query.get("case", ())[:MOST_VALUES])
        parts += [("case", each) for each in sorted(matters)]
        looks = ask.one("looks") == "yes"
        if looks:
            parts.append(("looks", "yes"))
        asked = ask.one("department")
        if asked:
            if departments is not None and asked not in departments:
                raise error("ACCESS_DENIED", rule="default deny")
            departments = frozenset({asked})
            parts.append(("department", asked))
        before = ask.one("before")
        if before and not (before.isascii() and before.isdigit() and len(before) < 16):
            raise error("INVALID_ARGUMENT", "A place in the list is a number.")
        selection = Selection(**chosen, since=since, until=until)
        return Search(
            Wanted(selection, departments, matters, looks), tuple(parts), int(before or 0)
        )

    def _digests(self, names: Iterable[str], use: str | None) -> set[str]:
        found: set[str] = set()
        for name in names:
            if _DIGEST.fullmatch(name):
                found.add(name)
            else:
                found |= {(each.derived(use) if use else each).digest(name) for each in self._keys}
        return found


def _plain(name: str, value: str, known: Callable[[str, str], bool]) -> bool:
    if name in ("from", "to", "looks", "kind"):
        return True  # read, and found to be one
    if name in ("caller", "subject", "question_id", "trace_id", "case"):
        return _MADE.fullmatch(value) is not None
    return known(name, value)


def _moment(text: str) -> str:
    """The instant as entries spell it; a date is its beginning, in UTC."""
    if not text:
        return ""
    try:
        found = datetime.fromisoformat(text)
        zoned = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        raise error("INVALID_ARGUMENT", "A time is a date, or as RFC 3339 writes it.") from None
    return zoned.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def instant(seconds: float) -> str:
    """Seconds since 1970 as entries spell them."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def days_before(seconds: float, days: int) -> str:
    """The beginning of the day that was so many days earlier."""
    day = datetime.fromtimestamp(seconds, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return (day - timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def facet_links(
    search: Search, facets: Mapping[str, Sequence[tuple[str, int]]]
) -> dict[str, list[tuple[str, int, bool, str]]]:
    """Each facet's values with how many, whether it is chosen, and the query that turns it."""
    return {
        name: [
            (value, count, search.has(name, value), _turned(search, name, value))
            for value, count in values
        ]
        for name, values in facets.items()
        if name in _NAMES
    }


def _turned(search: Search, name: str, value: str) -> str:
    if search.has(name, value):
        return urlencode([each for each in search.parts if each != (name, value)])
    return urlencode([*search.parts, (name, value)])
