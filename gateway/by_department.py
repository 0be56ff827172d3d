"""`department` as a column of a table that many departments serve: which part a row is from.

No department has such a column; it is read here and taken out of the question again, and what is
left is put to the departments that it names, each for its own part. The owners have to allow it,
since it is what pooling hides.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from gateway.catalogue import Served
from gateway.combine import Combined, combine
from landbridge.errors import LandbridgeError, error
from landbridge.levels import Level
from landbridge.v1 import node_pb2
from policies.contract import Column, Contract, Type
from policies.disclosure import Axis, ReleasePlan
from policies.question import (
    All,
    Comparison,
    Count,
    Histogram,
    Membership,
    Predicate,
    Question,
    Relation,
    Sum,
    Whole,
    cases_of,
    conditions,
)

DEPARTMENT = "department"
KEY = Whole(DEPARTMENT)


@dataclass(frozen=True, slots=True)
class Split:
    """What is left of a question once the column is out of it.

    `departments` are those that the filter lets through, in the catalogue's order; `grouped`: each
    of them has cells of its own in the answer.
    """

    question: Question
    departments: tuple[str, ...]
    grouped: bool


def with_departments(served: Served) -> Contract:
    """The contract with the column, unless it has one of that name or a single department."""
    contract = served.contract
    if len(served.departments) < 2 or DEPARTMENT in contract.by_name:
        return contract
    column = Column(
        DEPARTMENT,
        Type.TEXT,
        Level.OPEN,
        "The department that a part is from.",
        domain=tuple(served.departments),
        identifying=False,
    )
    return replace(contract, columns=(*contract.columns, column))


def split(question: Question, served: Served) -> Split | None:
    """The question without the column; None where it does not speak of it.

    Raises ACCESS_DENIED where the owners do not allow it, and INVALID_QUESTION for a filter that
    says more than which departments are meant.
    """
    grouped = KEY in question.group_by
    if DEPARTMENT in served.contract.by_name or not (grouped or _named(question)):
        return None
    if not served.contract.disclosure.pooling.department:
        raise error(
            "ACCESS_DENIED",
            f"The owners of {served.contract.id} do not let parts be told by department.",
            rule="contract.pooling.department",
            hint="Ask without the column department.",
        )
    if question.joined or any(_speaks(case) for case in _cases(question)):
        raise _unreadable()
    departments, rest = served.departments, question.where
    if rest is not None:
        conjuncts = rest.of if isinstance(rest, All) else (rest,)
        kept = []
        for part in conjuncts:
            if _speaks(part):
                through = _through(part)
                departments = tuple(name for name in departments if name in through)
            else:
                kept.append(part)
        rest = All(tuple(kept)) if len(kept) > 1 else kept[0] if kept else None
    if not departments:
        raise error(
            "INVALID_QUESTION",
            "No department is left by what is asked of the column department.",
            hint=f"{served.contract.id} is served by {', '.join(served.departments)}.",
        )
    keys = tuple(key for key in question.group_by if key != KEY)
    return Split(replace(question, group_by=keys, where=rest), departments, grouped)


def side_by_side(
    plan: ReleasePlan, replies: Mapping[str, node_pb2.AnswerResponse]
) -> tuple[ReleasePlan, tuple[Combined, ...]]:
    """The parts of each department as cells of its own; `plan` is that of one part."""
    parts = [combine(plan, {name: reply}) for name, reply in replies.items()]
    whole = replace(plan, axes=(Axis(KEY, tuple(replies), null_last=False), *plan.axes))
    return whole, tuple(
        replace(
            measure[0],
            units=tuple(number for part in measure for number in part.units),
            withheld=frozenset(
                plan.cells * place + cell
                for place, part in enumerate(measure)
                for cell in part.withheld
            ),
        )
        for measure in zip(*parts, strict=True)
    )


def _through(part: Predicate) -> tuple[object, ...]:
    """The departments that a condition names."""
    match part:
        case Comparison(column, Relation.EQUAL, literal) if column == DEPARTMENT:
            return (literal,)
        case Membership(column, literals) if column == DEPARTMENT:
            return tuple(literals)
        case _:
            raise _unreadable()


def _unreadable() -> LandbridgeError:
    return error(
        "INVALID_QUESTION",
        "The column department can be grouped by, and filtered on by itself alone.",
        hint="Write department = 'name' or department IN ('one', 'other'), joined by AND.",
    )


def _named(question: Question) -> bool:
    parts: Iterable[Predicate] = () if question.where is None else (question.where,)
    return any(map(_speaks, (*parts, *_cases(question))))


def _speaks(predicate: Predicate) -> bool:
    return any(leaf.column == DEPARTMENT for leaf in conditions(predicate))


def _cases(question: Question) -> Iterator[Predicate]:
    for measure in question.measures:
        of = measure.of if isinstance(measure, Count | Sum | Histogram) else None
        if of is not None:
            yield from cases_of(of)
