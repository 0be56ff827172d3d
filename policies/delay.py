"""How long a purpose stays untold to the person concerned: `landbridgeDisclosureDelay`.

Whoever is investigated may be told that they were, but not while it would warn them. The owner says
for which purposes and for how many days; everything else is told at once.
"""

from __future__ import annotations

from typing import Final

from policies.place import Place

DELAY: Final = "landbridgeDisclosureDelay"
LONGEST: Final = 3_660
"""In days: ten years."""

Delays = tuple[tuple[str, int], ...]
"""Purpose and days, by purpose."""


def read_delays(place: Place, purposes: frozenset[str]) -> Delays:
    """The delays; problems are told at their place. `purposes` are those of the contract."""
    found: dict[str, int] = {}
    for entry in place.entries():
        entry.only(("purpose", "days"))
        named = entry.at("purpose").must("a delay is one purpose's")
        purpose = named.text()
        days = entry.at("days").must("a delay is a number of days").integer(1, LONGEST)
        if purpose is None or days is None:
            continue
        if purpose in found:
            named.wrong("is listed twice.")
        elif purposes and purpose not in purposes:
            named.wrong("must be one of landbridgePurposes.")
        found[purpose] = days
    return tuple(sorted(found.items()))
