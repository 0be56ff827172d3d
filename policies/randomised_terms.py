"""Columns that are randomised before anybody but their contributor has them.

The custom property is `landbridgeRandomised`.

What one report of such a column tells of its value is bounded by the owner's epsilon, whoever reads
it, the department included. Whatever would tell more than that is no rule that a contract can have:
a NULL, a second draw for a correction, a value that names whom a record is about. And whatever
could not be estimated without bias is no question; see `policies.review`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from landbridge.levels import Level
from landbridge.submission.randomised import (
    LEAST_EPSILON,
    MOST_CATEGORIES,
    MOST_EPSILON,
    Randomised,
    Response,
    clamped,
)
from policies.contract import Bounds, Collection, Column, Measurement, Method, Type, Value
from policies.links import Links
from policies.place import Place

RANDOMISED: Final = "landbridgeRandomised"
_APART: Final = (
    "landbridgeClip",
    "landbridgeGroupable",
    "landbridgePeriod",
    "landbridgeExtremes",
)
"""Properties that would change what a report means."""


def read_randomised(
    custom: Mapping[str, Place],
    entry: Place,
    kind: Type,
    level: Level | None,
    bounds: Bounds | None,
    step: float,
    domain: Sequence[Value],
) -> Randomised | None:
    """How the column is randomised; None where it is not, or where that is a problem."""
    place = custom.get(RANDOMISED)
    if place is None:
        return None
    place.only(("epsilon",))
    if not isinstance(place.tree, dict):
        place.wrong("must be a mapping with an epsilon.")
        return None
    before = len(entry.problems.found)
    epsilon = place.at("epsilon").must("it says how much one report may tell").number()
    if epsilon is not None and not LEAST_EPSILON <= epsilon <= MOST_EPSILON:
        place.at("epsilon").wrong(f"must be from {LEAST_EPSILON} to {MOST_EPSILON:g}.")
    if entry.at("required").boolean() is not True:
        place.wrong("needs required: true; that there is no value would be told as it is.")
    if entry.at("unique").boolean():
        place.wrong("must be left out on a unique column.")
    if level is Level.SEALED:
        place.wrong("must be left out on a sealed column, of which nothing is estimated.")
    for name in _APART:
        if name in custom:
            custom[name].wrong(f"must be left out on a column with {RANDOMISED}.")
    if domain and bounds is not None:
        place.wrong("needs minimum and maximum, or an enum, and not both.")
    if domain and not 2 <= len(domain) <= MOST_CATEGORIES:
        place.wrong(f"needs from 2 to {MOST_CATEGORIES:,} values to choose from.")
    if not domain and (kind not in (Type.INTEGER, Type.NUMBER) or bounds is None):
        place.wrong("belongs to booleans, to columns with an enum and to numbers with bounds.")
    if epsilon is None or len(entry.problems.found) > before:
        return None
    if domain:
        return Response(epsilon, len(domain))
    assert bounds is not None  # judged above
    try:
        return clamped(epsilon, bounds.low, bounds.high, step)
    except ValueError as unfit:
        place.wrong(f"{unfit}.")
        return None


def require_kept(
    place: Place,
    columns: Mapping[str, Column],
    method: Method | None,
    unit: str | None,
    collection: Collection | None,
    links: Links,
    measurements: Sequence[Measurement],
) -> None:
    """That no other term tells more of a randomised column; problems go to the place.

    `place` is the collection's.
    """
    names = [column.name for column in columns.values() if column.randomised is not None]
    if not names:
        return
    told = ", ".join(names)
    if collection is None:
        if place.absent:
            place.wrong(f"must be there where columns are randomised at their source ({told}).")
        return
    if method is not None and method is not Method.DP:
        place.wrong(f"must belong to the method dp where columns are randomised ({told}).")
    if not collection.subject:
        # Averaging several draws of one value is how randomisation is undone.
        place.at("one").wrong(f"must bound the records of a subject: each is a draw of {told}.")
    if collection.correctable:
        place.at("correct").wrong(f"must be left out: a correction is another draw of {told}.")
    for use, used in (
        ("a randomised column cannot name whom a record is about", collection.subject),
        ("a randomised column cannot say when a record is of", (collection.of,)),
        ("the protected unit cannot be randomised", (unit or "",)),
        ("tables cannot be linked by a randomised column", _linked(links)),
        ("a column is measured by two servers or randomised", [m.column for m in measurements]),
    ):
        for name in sorted({*used} & {*names}):
            place.wrong(f"does not fit: {use} ({name}).")


def _linked(links: Links) -> Iterable[str]:
    return (name for link in links for name in link.on)
