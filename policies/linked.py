"""Tables of several departments, linked on a key that all their owners allow.

Like `policies.joined`, this makes one contract of several, on which review, bounds and grouping
keys work as they are: columns are named "contract.column". What may be linked follows from the
contracts alone:

- Every owner names the other departments and the columns of the key (`landbridgeLinks`).
- Either the key is the protected unit of all sides that protect one: then removing a unit takes one
  key away. Or one side alone protects a unit: then it takes away at most `rows_per_unit` keys. Two
  units that meet under a key that is neither's could change each other's part without bound.
- At most one table has several rows for one key. The values of the others could not be counted as
  often as SQL would, since nobody may multiply what two departments hold.
- One table may be served by several departments, which all name one another: their rows count
  together, as if they were one table's. A key can then have rows at each of them, so it is a table
  with several rows for a key.

A unit changes the joined rows of one department by at most the product of the tables'
`rows_per_unit`, whichever table it is taken out of, as in `policies.joined`; in how many
departments it can be the contract says (`units_span`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from operator import itemgetter
from typing import Final

from landbridge.errors import LandbridgeError, error
from policies.canonical import Mask, text
from policies.contract import Column, Contract, Link, Method, Type
from policies.joined import common_terms
from policies.place import listed
from policies.question import Question

MAXIMUM_TABLES: Final = 3
MAXIMUM_DEPARTMENTS: Final = 6
"""With one table served by several; each doubles the combinations in which a key can be."""


@dataclass(frozen=True, slots=True)
class Side:
    """A department and the contract of its table that takes part."""

    department: str
    contract: Contract


@dataclass(frozen=True, slots=True)
class LinkedQuestion:
    """One question to several departments' tables at once; all of it crosses the wire.

    `sides` are in the order of their departments' names, `key` is sorted. `micro_epsilon` is the
    price in millionths, 0 for the contracts' own.
    """

    question: Question
    sides: tuple[Side, ...]
    key: tuple[str, ...]
    micro_epsilon: int


def linked(sides: Sequence[Side], key: Sequence[str]) -> Contract:
    """The contract of a link; the order of sides and key does not matter.

    Raises INVALID_QUESTION, or ACCESS_DENIED where an owner does not allow it.
    """
    parts = tables_of(sides)
    _require_linkable(sides, parts, tuple(sorted(key)))
    protected = [part for part in parts if part.disclosure.method is Method.DP]
    unit = protected[0].unit
    assert unit is not None  # by method dp
    terms = replace(
        common_terms([part.disclosure for part in protected]),
        maximum_cells=min(part.disclosure.maximum_cells for part in parts),
    )
    columns = (
        replace(column, name=f"{part.id}.{column.name}", unique=False, discovered=False)
        for part in parts
        for column in part.columns
        if column.name != part.unit
    )
    delays = sorted((each for part in parts for each in part.delays), key=itemgetter(1))
    return Contract(
        id=" JOIN ".join(part.id for part in parts),
        version=" ".join(part.version for part in parts),
        title=", ".join(part.title for part in parts),
        description="",
        columns=(_unit(protected), *columns),
        unit=unit,
        purposes=frozenset.intersection(*(part.purposes for part in parts)),
        disclosure=terms,
        digest=sha256("".join(part.digest for part in parts).encode()).hexdigest(),
        delays=tuple(sorted(dict(delays).items())),
        parts=parts,
        hidden=frozenset(f"{part.id}.{name}" for part in parts for name in part.hidden),
    )


def tables_of(sides: Iterable[Side]) -> tuple[Contract, ...]:
    """Each table once, by name."""
    found = {side.contract.id: side.contract for side in sides}
    return tuple(found[name] for name in sorted(found))


def shared(sides: Sequence[Side]) -> frozenset[str]:
    """The tables that several departments serve, whose rows count together."""
    names = [side.contract.id for side in sides]
    return frozenset(name for name in names if names.count(name) > 1)


def link_of(side: Side, others: Iterable[str], key: Sequence[str]) -> Link:
    """The owner's yes to this link; raises ACCESS_DENIED where there is none."""
    wanted = frozenset(others)
    for link in side.contract.links:
        if link.on == tuple(sorted(key)) and wanted <= link.departments:
            return link
    raise error(
        "ACCESS_DENIED",
        f"Contract {side.contract.id} of department {side.department} may not be linked with "
        f"{' and '.join(sorted(wanted))} on {', '.join(key)}.",
        rule="contract.links",
        hint=_allowed(side),
    )


def words(question: LinkedQuestion, mask: Mask | None = None) -> str:
    """The question in words; `mask` as in `policies.canonical.text`."""
    tables = ", ".join(f"{side.department}.{side.contract.id}" for side in question.sides)
    return f"{text(question.question, mask)} LINKED {tables} ON ({', '.join(question.key)})"


def by_unit(parts: Iterable[Contract], key: Sequence[str]) -> bool:
    """Whether the key is the unit of every part that protects one."""
    return all(tuple(key) == (part.unit,) for part in parts if part.unit is not None)


def repeating(part: Contract, key: Sequence[str], shared: frozenset[str]) -> bool:
    """Whether several rows of the part can have one key; `shared` as above."""
    if part.id in shared:
        return True  # one at each department
    if part.disclosure.method is Method.UNPROTECTED:
        return False  # its owner's link says so, and loading checked it
    return tuple(key) != (part.unit,) or part.disclosure.rows_per_unit > 1


def _unit(protected: Sequence[Contract]) -> Column:
    name = protected[0].unit
    assert name is not None  # by method dp
    nullable = any(part.by_name[name].nullable for part in protected)
    return replace(protected[0].by_name[name], nullable=nullable, unique=False, domain=())


def _require_linkable(
    sides: Sequence[Side], parts: Sequence[Contract], key: tuple[str, ...]
) -> None:
    names = [side.department for side in sides]
    if len(parts) == 1 < len(sides):
        raise same_kind(parts[0].id)
    if not 2 <= len(parts) <= MAXIMUM_TABLES or len(set(names)) < len(names):
        raise error(
            "INVALID_QUESTION",
            f"Two to {MAXIMUM_TABLES} tables of different departments are linked.",
            hint="Name each department once: FROM one.table JOIN other.table USING (key).",
        )
    _require_one_shared(sides, parts)
    for part in parts:
        if part.disclosure.method not in (Method.DP, Method.UNPROTECTED):
            raise error(
                "INVALID_QUESTION",
                f"Contract {part.id} is released by the method {part.disclosure.method} and cannot "
                "be linked: a link is a filter that none of its rules would see.",
                hint="Contracts by the method dp can be linked.",
            )
    for side in sides:
        link_of(side, (name for name in names if name != side.department), key)
    _require_one_type(parts, key)
    protected = [part for part in parts if part.disclosure.method is Method.DP]
    for part in protected:
        if not part.disclosure.pooling.alone:
            raise error(
                "PARTS_WITHHELD",
                f"The owners of {part.id} give out totals over several departments only, and a "
                "link is about one department's table.",
                rule="contract.pooling.alone",
                hint=f"Ask all departments: FROM {part.id}.",
            )
    if not protected:
        raise error(
            "INVALID_QUESTION",
            "None of these tables protects anybody, and linking them hides what is open.",
            hint="Ask each of them alone.",
        )
    if len(protected) > 1 and not by_unit(parts, key):
        raise error(
            "INVALID_QUESTION",
            f"Contracts {' and '.join(part.id for part in protected)} protect units that "
            f"{', '.join(key)} does not name.",
            hint="Link them on the unit that both protect.",
        )
    noises = sorted({part.disclosure.noise.value for part in protected})
    if len(noises) > 1:
        raise error(
            "INVALID_QUESTION",
            f"Contracts {' and '.join(part.id for part in protected)} add different noise, "
            f"{' and '.join(noises)}.",
            hint="Their owners can choose one for all of them.",
        )
    several = shared(sides)
    many = [part.id for part in parts if repeating(part, key, several)]
    if len(many) > 1:
        raise _several_rows(many)


def same_kind(table: str) -> LandbridgeError:
    """Two departments' tables of one name are not joined with one another."""
    return error(
        "INVALID_QUESTION",
        f"Both tables are called {table}: their rows are the same kind of thing.",
        hint=f"FROM {table} adds up all departments that serve it.",
    )


def _require_one_shared(sides: Sequence[Side], parts: Sequence[Contract]) -> None:
    """At most one table is several departments', by one text, and protects a unit."""
    several = shared(sides)
    if not several:
        return
    name = min(several)
    served = [side for side in sides if side.contract.id == name]
    departments = listed([side.department for side in served])
    one = f"Name one department for each: {served[0].department}.{name}."
    if len(several) > 1:
        raise error(
            "INVALID_QUESTION",
            f"{listed(sorted(several))} are each served by several departments; of linked tables "
            "one can be.",
            hint=one,
        )
    if len(sides) > MAXIMUM_DEPARTMENTS:
        raise error(
            "INVALID_QUESTION",
            f"{len(sides)} departments would be linked, {departments} by {name}; at most "
            f"{MAXIMUM_DEPARTMENTS} are.",
            hint=one,
        )
    (part,) = (each for each in parts if each.id == name)
    if part.disclosure.method is not Method.DP:
        raise error(
            "INVALID_QUESTION",
            f"{name} is served by {departments} and protects nobody; such a table is linked as "
            "one department's.",
            hint=one,
        )
    if any(side.contract.digest != part.digest for side in served):
        raise error(
            "INVALID_QUESTION",
            f"Departments {departments} do not serve the same text of {name}.",
            hint=one,
        )


def _several_rows(many: Sequence[str]) -> LandbridgeError:
    return error(
        "INVALID_QUESTION",
        f"One key can have several rows in {' and in '.join(many)}; counting their pairs would "
        "take a product of what two departments hold.",
        hint="Link one table with several rows for a key to tables with one row for it.",
    )


def _require_one_type(parts: Sequence[Contract], key: Sequence[str]) -> None:
    for name in key:
        found = {part.by_name[name].type for part in parts}  # every owner's link names it
        # Whole numbers in decimals and text are one spelling.
        if len(found) > 1 and found != {Type.INTEGER, Type.TEXT}:
            raise error(
                "INVALID_QUESTION",
                f"Column {name} is {listed(sorted(kind.value for kind in found))}, depending on "
                "the table.",
                hint="Link on columns of one type.",
            )


def _allowed(side: Side) -> str:
    links = side.contract.links
    if not links:
        return "Its owner can allow it with landbridgeLinks in the contract."
    offers = [f"{', '.join(link.on)} with {', '.join(sorted(link.departments))}" for link in links]
    return f"Its owner allows {'; '.join(offers)}."
