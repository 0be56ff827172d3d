"""The nearest question that would pass, for one that is refused.

A search over what can be left out of the text or made coarser, the change that gives up fewest
words first. Looks at what planning looks at, contracts and policies, and so says nothing about data
and nothing that the caller could not find out by asking.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from itertools import count
from typing import Final

from gateway.planning import Plan
from gateway.sql.pieces import Piece, Pieces, cut
from landbridge.errors import InvalidQuestion, LandbridgeError, Passing, Refused
from policies.disclosure import MINIMUM_EPSILON

MAXIMUM_TRIES: Final = 80
MAXIMUM_CHARACTERS: Final = 20_000
"""Texts that are planned for one suggestion, and how long they are together: a bound on its work,
about a tenth of a second."""

MakePlan = Callable[[str, int], Plan]
"""The plan of a text with an epsilon in millionths (0: the contract's own); raises refusals."""

_HOPELESS: Final = frozenset({"PURPOSE_MISSING", "PURPOSE_NOT_ALLOWED"})
"""Reasons that no shorter text removes."""


def nearest(
    sql: str, micro_epsilon: int, refusal: LandbridgeError, plan: MakePlan
) -> Passing | None:
    """The passing text that gives up fewest words; None where none is found within the tries."""
    if refusal.reason == "EPSILON_OUT_OF_RANGE":
        found = _attempt(sql, micro_epsilon, plan)
        return found if isinstance(found, Passing) else None
    whole = cut(sql) if _of_the_text(refusal) else None
    if whole is None:
        return None
    number = count()  # texts of one price are taken in the order in which they were found
    waiting: list[tuple[int, int, Pieces]] = [(0, next(number), whole)]
    seen, written = {whole}, 0
    for _ in range(MAXIMUM_TRIES):
        if not waiting or written > MAXIMUM_CHARACTERS:
            return None
        price, _, pieces = heapq.heappop(waiting)
        text = pieces.text()
        written += len(text)
        found = _attempt(text, micro_epsilon, plan)
        if isinstance(found, Passing):
            return found if price else None
        if not _of_the_text(found):
            return None
        guilty = _guilty(pieces, found)
        if guilty == pieces.source:
            continue  # no table, no question
        for more, smaller in pieces.smaller():
            if smaller not in seen and (guilty is None or guilty not in smaller):
                seen.add(smaller)
                heapq.heappush(waiting, (price + more, next(number), smaller))
    return None


def _attempt(text: str, micro_epsilon: int, plan: MakePlan) -> Passing | LandbridgeError:
    """What would pass with this text, or why nothing does."""
    try:
        plan(text, micro_epsilon)
        return Passing(text)
    except LandbridgeError as refusal:
        if refusal.reason != "EPSILON_OUT_OF_RANGE":
            return refusal
    try:
        terms = plan(text, 0).contract.disclosure
    except LandbridgeError as refusal:
        return refusal
    epsilon = min(max(micro_epsilon / 1_000_000, MINIMUM_EPSILON), terms.maximum_epsilon)
    return Passing(text, epsilon)


def _guilty(pieces: Pieces, refusal: LandbridgeError) -> Piece | None:
    """The piece that the refusal points at."""
    return None if refusal.position is None else pieces.at(refusal.position)


def _of_the_text(refusal: LandbridgeError) -> bool:
    return isinstance(refusal, InvalidQuestion | Refused) and refusal.reason not in _HOPELESS
