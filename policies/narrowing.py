"""Less of a question: what an officer can offer in its place.

Only ever less: keys and measures left out, dates by a coarser unit, buckets merged. The result is a
question of the same algebra, in its one spelling; whether it passes is for review to say.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from landbridge.errors import LandbridgeError, error
from policies.canonical import canonical, key_text, measure_text
from policies.contract import Contract, Type
from policies.question import Bucketed, GroupKey, Question, Span, Truncated, Whole

_COARSER: Final = {
    Span.DAY: (Span.WEEK, Span.MONTH, Span.QUARTER, Span.YEAR),
    Span.WEEK: (),  # weeks lie across months and years
    Span.MONTH: (Span.QUARTER, Span.YEAR),
    Span.QUARTER: (Span.YEAR,),
    Span.YEAR: (),
}


@dataclass(frozen=True, slots=True)
class Less:
    """What to leave out and what to make coarser, as keys and measures are worded.

    `coarser` gives a unit of time ("month") or a number of buckets per key.
    """

    without: Sequence[str] = ()
    coarser: Mapping[str, str] = field(default_factory=dict)


def narrowed(question: Question, contract: Contract, less: Less) -> Question:
    """The question with less in it; raises INVALID_ARGUMENT, naming what there is."""
    keys = {key_text(key): key for key in question.group_by}
    measures = {measure_text(measure): measure for measure in question.measures}
    for name in (*less.without, *less.coarser):
        if name not in keys and (name not in measures or name in less.coarser):
            raise _no(
                f"The question has no {name[:80]!r}.", f"It has {', '.join((*keys, *measures))}."
            )
    left = tuple(measure for name, measure in measures.items() if name not in less.without)
    if not left:
        raise _no("Nothing would be left to answer.", "Decline it, or leave a measure in.")
    coarse = [
        _coarser(key, less.coarser[name], contract) if name in less.coarser else key
        for name, key in keys.items()
        if name not in less.without
    ]
    if len(set(coarse)) < len(coarse):
        raise _no("Two keys would be the same.", "Leave one of them out.")
    found = canonical(replace(question, measures=left, group_by=tuple(coarse)), contract)
    if found == question:
        raise _no("It would be the same question.", "Approve it, or offer less.")
    return found


def _coarser(key: GroupKey, to: str, contract: Contract) -> GroupKey:
    match key:
        case Whole(column) if contract.by_name[column].type in (Type.DATE, Type.TIMESTAMP):
            if to in list(Span):
                return Truncated(column, Span(to))
        case Truncated(column, span):
            if to in _COARSER[span]:
                return Truncated(column, Span(to))
        case Bucketed(column, low, high, count):
            if to.isascii() and to.isdecimal() and 0 < int(to) < count and count % int(to) == 0:
                return Bucketed(column, low, high, int(to))
        case Whole():
            pass
    raise _no(
        f"{key_text(key)} cannot be made coarser like that.",
        "A day can become a week, month, quarter or year; buckets a number of them that divides "
        "the present one; anything else can be left out.",
    )


def _no(sentence: str, hint: str) -> LandbridgeError:
    return error("INVALID_ARGUMENT", sentence, hint=hint)
