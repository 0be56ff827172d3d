"""A handler that its own department evaluates over all its subjects, for one responsible role.

    -- watch: {every: 10m, tells: [QUIET], role: community-worker, purpose: "dpv:ServiceProvision"}

What it finds names people, so it is told to officers of that role alone, on the department's own
machine. It is the owner's own look at the owner's own data; nobody's budget is concerned.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final

KEYS: Final = frozenset({"every", "tells", "role", "purpose"})
LONGEST: Final = 31 * 86_400
_DURATION: Final = re.compile(r"([1-9][0-9]{0,5})(s|m|h|d)")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_ROLE: Final = re.compile(r"[a-z][a-z0-9-]{0,62}")


@dataclass(frozen=True, slots=True)
class HandlerWatch:
    """Every so many seconds; whoever has one of the codes `tells` is a case for `role`."""

    every_seconds: int
    tells: frozenset[str]
    role: str
    purpose: str


def read_watch(
    tree: Any, codes: Collection[str], purposes: Collection[str], problems: list[str]
) -> HandlerWatch | None:
    """The watch of a handler's terms; problems go to the list."""
    if tree is None:
        return None
    if not isinstance(tree, dict) or set(tree) != KEYS:
        problems.append("watch is a mapping of every, tells, role and purpose")
        return None
    duration = _DURATION.fullmatch(str(tree["every"]))
    seconds = int(duration[1]) * _SECONDS[duration[2]] if duration else 0
    tells = tree["tells"]
    before = len(problems)
    if not 0 < seconds <= LONGEST:
        problems.append("watch.every is a number and s, m, h or d, 31 days at the most")
    if not isinstance(tells, list) or not tells or not {*map(str, tells)} <= {*codes}:
        problems.append("watch.tells is a list of codes that the handler's reply can have")
    if not _ROLE.fullmatch(str(tree["role"])):
        problems.append("watch.role is the one role that is told, in lower case")
    if str(tree["purpose"]) not in purposes:
        problems.append("watch.purpose is one of the handler's purposes")
    if len(problems) > before:
        return None
    return HandlerWatch(
        seconds, frozenset(map(str, tells)), str(tree["role"]), str(tree["purpose"])
    )
