"""What an owner asks of pooled totals, read from the contract's `landbridgePooling`."""

from __future__ import annotations

from typing import Final

from policies.contract import Pooling
from policies.place import Place

MOST: Final = 1_000
"""Members that one question names at the most."""


def read_pooling(place: Place) -> Pooling:
    """The owner's wishes, the defaults where there are none; notes problems in their places."""
    place.only(("minimum", "honest", "alone", "department"))
    if not isinstance(place.tree, dict):
        return Pooling()
    alone, department = place.at("alone").boolean(), place.at("department").boolean()
    if alone is False and department:
        place.at("department").wrong("must be left out where alone is false.")
        department = None
    return Pooling(
        minimum=place.at("minimum").integer(2, MOST) or 2,
        honest=place.at("honest").integer(1, MOST) or 0,
        alone=alone is not False,
        department=bool(department),
    )
