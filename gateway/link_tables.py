"""Which departments' tables a linked question is about, from what they serve."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.catalogue import Served
from landbridge.errors import error
from policies.linked import Side, linked


def linked_tables(found: Sequence[Served], key: Sequence[str]) -> Served:
    """The tables as one linked contract; raises where a table is not one department's.

    Their departments are not all the same ones, which would join them by themselves.
    """
    names = tuple(each.contract.id for each in found)
    for served in found:
        if len(served.departments) > 1:
            raise error(
                "INVALID_QUESTION",
                f"{served.contract.id} is served by {', '.join(served.departments)}; linked are "
                "tables of one department each.",
                hint=_hint(found, names),
            )
    sides = sorted(
        (Side(each.departments[0], each.contract) for each in found),
        key=lambda side: side.department,
    )
    whole = linked(sides, key)
    return Served(
        whole, tuple(side.department for side in sides), tuple(sides), tuple(sorted(set(key)))
    )


def _hint(found: Sequence[Served], names: Sequence[str]) -> str:
    both = [
        name
        for name in found[0].departments
        if all(name in served.departments for served in found[1:])
    ]
    if both:
        tables = " JOIN ".join(f"{both[0]}.{name}" for name in names)
        return f"Name one that has both: FROM {tables}."
    tables = " JOIN ".join(f"{each.departments[0]}.{each.contract.id}" for each in found)
    return f"Name one department for each: FROM {tables}."
