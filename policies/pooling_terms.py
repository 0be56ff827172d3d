"""What an owner asks of pooled totals, read from the contract's `landbridgePooling`."""

from __future__ import annotations

import re
from typing import Final

from policies.contract import Pooling
from policies.place import Place

MOST: Final = 1_000
"""Members that one question names at the most."""
_DEPARTMENT: Final = re.compile(r"[a-z][a-z0-9_]{0,30}")


def read_pooling(place: Place) -> Pooling:
    """The owner's wishes, the defaults where there are none; notes problems in their places."""
    place.only(("minimum", "honest", "alone", "department", "with"))
    if not isinstance(place.tree, dict):
        return Pooling()
    alone, department = place.at("alone").boolean(), place.at("department").boolean()
    if alone is False and department:
        place.at("department").wrong("must be left out where alone is false.")
        department = None
    minimum = place.at("minimum").integer(2, MOST) or 2
    return Pooling(
        minimum=minimum,
        honest=place.at("honest").integer(1, MOST) or 0,
        alone=alone is not False,
        department=bool(department),
        departments=_departments(place.at("with"), minimum),
    )


def _departments(place: Place, minimum: int) -> frozenset[str] | None:
    """Who may take part; a list that cannot be read allows nobody."""
    if place.absent:
        return None
    names = [each.text() for each in place.entries()]
    found = frozenset(name for name in names if name and _DEPARTMENT.fullmatch(name))
    if len(found) < len(names):
        place.wrong("must list departments by their names, each once.")
    elif not minimum <= len(found) <= MOST:
        place.wrong(f"must list from {minimum} to {MOST} departments, this one among them.")
    return found
