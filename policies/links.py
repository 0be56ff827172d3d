"""With whom a table may be linked, read from `landbridgeLinks`. Default: with nobody.

A list of `{with: [department, ...], on: [column, ...]}`. The columns of `on` are matched with
columns of the same names at the other department and are never shown; naming them here is the
owner's yes to that, whatever their level. A table that protects nobody says `unique: true`, which
is checked when it is loaded; of one that protects a unit, `minimum` says from which noisy number of
linked keys on a cell is shown. `keys` is about how many different keys there are, as far as the
owner publishes it: bytes and limits of a question are reckoned by it, and nothing else is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from policies.contract import Column, Link, Method, Type
from policies.place import Place

LINKS: Final = "landbridgeLinks"
MAXIMUM_LINKS: Final = 100
MAXIMUM_KEY: Final = 4
MAXIMUM_MINIMUM: Final = 1_000_000
DEFAULT_MINIMUM: Final = 10
MAXIMUM_KEYS: Final = 10**9
DEFAULT_KEYS: Final = 1_000_000
_DEPARTMENT: Final = re.compile(r"[a-z][a-z0-9_]{0,30}")
KEY_TYPES: Final = (Type.INTEGER, Type.TEXT, Type.BOOLEAN, Type.DATE, Type.TIMESTAMP)
"""Types whose values have one spelling, which both departments make alike."""

Links = tuple[Link, ...]


def read_links(
    place: Place, method: Method | None, columns: Mapping[str, Column], names: frozenset[str]
) -> Links:
    """The links; problems are told at their place."""
    found: list[Link] = []
    entries = place.entries()
    if len(entries) > MAXIMUM_LINKS:
        place.wrong(f"must list at most {MAXIMUM_LINKS} links.")
        return ()
    if entries and method not in (None, Method.DP, Method.UNPROTECTED):
        # Minimum counts and cell keys are rules about one table's cells; they see no link.
        place.wrong("must be left out; only tables by the methods dp and unprotected are linked.")
        return ()
    for entry in entries:
        entry.only(("with", "on", "unique", "minimum", "keys"))
        link = _link(entry, method, columns, names)
        if link is None:
            continue
        if any(each.on == link.on and each.departments & link.departments for each in found):
            entry.wrong("names a department that an earlier link on the same columns names.")
        found.append(link)
    return tuple(found)


def _link(
    entry: Place, method: Method | None, columns: Mapping[str, Column], names: frozenset[str]
) -> Link | None:
    departments = _texts(entry.at("with").must("a link names the other departments"))
    for each in departments:
        if not _DEPARTMENT.fullmatch(each):
            entry.at("with").wrong("must list departments by their names.")
            return None
    place = entry.at("on").must("a link names the columns that rows are matched by")
    on = _texts(place)
    if not departments or not on:
        return None
    if len(on) > MAXIMUM_KEY or len(set(on)) < len(on):
        place.wrong(f"must list from 1 to {MAXIMUM_KEY} columns, each once.")
        return None
    for name in on:
        column = columns.get(name)
        if names and name not in names:
            place.wrong("must list columns of this contract.")
            return None
        if column is not None and column.type not in KEY_TYPES:
            place.wrong("must list no column of type number: its values have many spellings.")
            return None
    unique, least = entry.at("unique"), entry.at("minimum")
    if method is Method.UNPROTECTED:
        if unique.boolean() is not True:
            unique.wrong("must be true: one row of a table without a unit has each key.")
        if not least.absent:
            least.wrong("must be left out; it means nothing where nobody is protected.")
    elif method is not None and not unique.absent:
        unique.wrong("must be left out; landbridgeRowsPerUnit says it where a unit is protected.")
    minimum = least.integer(1, MAXIMUM_MINIMUM)
    keys = entry.at("keys").integer(1, MAXIMUM_KEYS)
    return Link(
        frozenset(departments),
        tuple(sorted(on)),
        method is Method.UNPROTECTED,
        DEFAULT_MINIMUM if minimum is None else minimum,
        DEFAULT_KEYS if keys is None else keys,
    )


def _texts(place: Place) -> list[str]:
    found = (each.text() for each in place.entries())
    return [text for text in found if text is not None]
