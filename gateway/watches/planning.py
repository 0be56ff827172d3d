"""From a text and a condition to a standing question: steps (2) to (4), at every evaluation again.

What a watch is of is decided here and at the owner. Here only so much is known that cannot be told
one department: a question of several departments would need their numbers together at every
evaluation, and by `dp` nobody may hold those.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final

from gateway.catalogue import Catalogue
from gateway.planning import Planning
from gateway.presentation import Key, Presentation
from gateway.scalar import Number
from landbridge.edge.record import Draft
from landbridge.errors import error
from landbridge.identity.caller import Caller
from landbridge.v1 import watch_pb2
from policies.disclosure import Axis
from policies.question import Question, Relation
from policies.watch import Condition, plan_watch

RELATIONS: Final = {
    Relation.LESS: watch_pb2.Condition.RELATION_LESS,
    Relation.LESS_OR_EQUAL: watch_pb2.Condition.RELATION_LESS_OR_EQUAL,
    Relation.GREATER: watch_pb2.Condition.RELATION_GREATER,
    Relation.GREATER_OR_EQUAL: watch_pb2.Condition.RELATION_GREATER_OR_EQUAL,
}
LONGEST_CONDITION: Final = 200
_WHEN: Final = re.compile(
    r"\s*(?P<name>[^<>=]+?)\s*(?P<relation>[<>]=?)\s*(?P<number>[+-]?\d{1,18}(\.\d{1,9})?)\s*",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Planned:
    """A standing question of one department, and how its cells are named.

    Without a condition it is a trend.
    """

    department: str
    question: Question
    condition: Condition | None
    axes: tuple[Axis, ...]


def plan_standing(
    planning: Planning,
    asked: watch_pb2.CreateWatchRequest,
    caller: Caller,
    known: Catalogue,
    draft: Draft,
) -> Planned:
    """The plan, by the policies of now; raises InvalidQuestion or Refused."""
    plan = planning.question(
        asked.sql, asked.purpose, asked.micro_epsilon, caller, known, draft, action="watch"
    )
    name, condition = read_condition(asked.when) if asked.when else ("", None)
    if len(plan.departments) != 1 or plan.link is not None or plan.way.grouped:
        raise error(
            "NOT_SUPPORTED",
            "A watch is of one department; this question is put to "
            + ", ".join(plan.departments)
            + ".",
            hint="Make a watch for each of them: FROM department.table.",
        )
    shown = plan.presentation
    if shown.having is not None or shown.limit is not None:
        raise error(
            "INVALID_QUESTION",
            "A watch has no HAVING and no LIMIT: its condition says what is told.",
            hint='Give the condition beside the text, for example when="n >= 100".',
        )
    sources = {
        output.name: output.source.measure
        for output in shown.outputs
        if isinstance(output.source, Number)
    }
    if condition is None and len(sources) == len(shown.outputs) - _keys(shown) == 1:
        (name,) = sources
    measure = sources.get(name)
    if measure is None and condition is None:
        raise error(
            "INVALID_QUESTION",
            "A trend, a watch without a condition, is of one count or one sum and its keys.",
            hint="Write one count(*), count(x) or sum(x), or give a condition (when=).",
        )
    if measure is None:
        raise error(
            "INVALID_ARGUMENT",
            f"The condition names {name[:60]!r}, which is no count and no sum of this question.",
            hint=f"It has {', '.join(sorted(sources)) or 'none'}.",
        )
    question = replace(plan.question, measures=(measure,))
    planned = plan_watch(question, plan.contract, condition, asked.micro_epsilon, asked.alerts)
    return Planned(plan.departments[0], question, condition, planned.release.axes)


def _keys(shown: Presentation) -> int:
    return sum(isinstance(output.source, Key) for output in shown.outputs)


def read_condition(text: str) -> tuple[str, Condition]:
    """The column's name, and the condition on it; raises INVALID_ARGUMENT."""
    found = _WHEN.fullmatch(text) if len(text) <= LONGEST_CONDITION else None
    if found is None:
        raise error(
            "INVALID_ARGUMENT",
            "The condition is a column of the question, one of <, <=, > and >=, and a number.",
            hint='For example when="n >= 100".',
        )
    return found["name"], Condition(Relation(found["relation"]), float(found["number"]))


def cell_keys(axes: tuple[Axis, ...], place: int) -> dict[str, str]:
    """The values of the cell at that place, the last key varying fastest; NULL as an empty text.

    Raises ValueError for a place that is none.
    """
    found: dict[str, str] = {}
    for axis in reversed(axes):
        place, index = divmod(place, len(axis))
        value = axis.values[index] if index < len(axis.values) else ""
        found[axis.key.column] = str(value).lower() if isinstance(value, bool) else str(value)
    if place:
        raise ValueError("there is no such cell")
    return dict(reversed(found.items()))
