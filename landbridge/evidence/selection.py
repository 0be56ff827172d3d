"""Which entries of which logs: the search that an auditor makes."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Fields = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Found:
    """One entry: the log's name, the index in it, the leaf hash (32 bytes) and the fields."""

    log: str
    index: int
    leaf_hash: bytes
    fields: Fields


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What an entry must say; an empty set asks nothing.

    Of one field any of the values will do, of several fields all must. `callers` and `subjects`
    are keyed digests, hexadecimal. `since` is the first instant that counts, `until` the first
    that does not, both RFC 3339 in UTC as entries spell it, or their beginning.
    """

    kinds: frozenset[str] = frozenset()
    outcomes: frozenset[str] = frozenset()
    organisations: frozenset[str] = frozenset()
    purposes: frozenset[str] = frozenset()
    resources: frozenset[str] = frozenset()
    question_ids: frozenset[str] = frozenset()
    trace_ids: frozenset[str] = frozenset()
    callers: frozenset[str] = frozenset()
    subjects: frozenset[str] = frozenset()
    since: str = ""
    until: str = ""

    def test(self) -> Callable[[Fields], bool]:
        """Whether an entry with these fields is among the wanted."""
        wanted = [(name, values) for name, values in self._sets() if values]
        since, until = self.since, self.until

        def chosen(fields: Fields) -> bool:
            time = str(fields.get("time", ""))
            return (
                time >= since
                and (not until or time < until)
                and all(fields.get(name, "") in values for name, values in wanted)
            )

        return chosen

    def _sets(self) -> tuple[tuple[str, frozenset[str]], ...]:
        return (
            ("kind", self.kinds),
            ("outcome", self.outcomes),
            ("organisation", self.organisations),
            ("purpose", self.purposes),
            ("resource", self.resources),
            ("question_id", self.question_ids),
            ("trace_id", self.trace_ids),
            ("caller", self.callers),
            ("subject", self.subjects),
        )


def merged(logs: Iterable[Iterable[Found]]) -> Iterator[Found]:
    """Several logs as one, by time; entries of one log keep their order. Holds one entry of each.

    A log's clock may have gone back; its order of entries is the one that was signed.
    """
    yield from heapq.merge(*logs, key=lambda found: str(found.fields.get("time", "")))
