"""Which departments' tables a linked question is about, from what they serve."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.catalogue import Served
from landbridge.errors import error
from policies.link_plan import LinkPlan
from policies.linked import Side, linked, same_kind


def linked_tables(found: Sequence[Served], key: Sequence[str]) -> Served:
    """The tables as one linked contract; of a table, all departments that serve it take part.

    Their departments are not all the same ones, which would join them by themselves.
    """
    names = [each.contract.id for each in found]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise same_kind(twice)
    sides = sorted(
        (Side(name, each.contract) for each in found for name in each.departments),
        key=lambda side: side.department,
    )
    departments = [side.department for side in sides]
    if len(set(departments)) < len(departments):
        both = next(name for name in departments if departments.count(name) > 1)
        raise error(
            "INVALID_QUESTION",
            f"{both} serves several of these tables, and others serve some of them; linked are "
            "tables of different departments.",
            hint=_hint(found, names),
        )
    whole = linked(sides, key)
    return Served(
        whole, tuple(side.department for side in sides), tuple(sides), tuple(sorted(set(key)))
    )


def require_together(one: Served, other: Served) -> None:
    """Both tables are served by the same departments, where linking them is not asked for."""
    if one.departments != other.departments:
        names = (one.contract.id, other.contract.id)
        raise error(
            "INVALID_QUESTION",
            f"Not the same departments serve {names[0]} and {names[1]}, and an officer decides "
            "about one department's tables.",
            hint=_hint((one, other), names),
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


def linked_why(link: LinkPlan) -> str:
    """Why the question is linked, how often the gateway asks and what crosses the wire."""
    tables = " and ".join(f"{side.department}.{side.contract.id}" for side in link.sides)
    return (
        f"{tables} are joined on {', '.join(link.question.key)} and nobody shows a row: "
        f"{link.rounds} rounds, about {_size(link.bytes)} at the numbers of keys that the owners "
        "publish."
    )


def _size(count: int) -> str:
    """Bytes for a reader."""
    mebi = count / 2**20
    return f"{mebi:.1f} MiB" if mebi < 1024 else f"{mebi / 1024:.1f} GiB"
