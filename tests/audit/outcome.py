"""One line of the audit's table."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

PIECE = re.compile(r", \d+ of \d+$")
"""How the name of a row ends that is a piece of one."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was tried and how it ended.

    `tried` and `stopped` count attempts of one kind (questions, games, guesses); `by` names what
    stopped them; `figure` is the attacker's best beside its bound; `through` whether the bound
    was passed. `counts` says how attempts ended, in a row that is done in pieces.
    """

    name: str
    tried: int
    stopped: int
    by: str
    figure: str
    through: bool
    counts: Mapping[str, int] = field(default_factory=dict)

    def line(self) -> str:
        """For the table of `tests.torture`."""
        end = "THROUGH" if self.through else "held"
        return (
            f"{end:<8}{self.name:<58}{self.tried:>8}{self.stopped:>9}  {self.by:<26}{self.figure}"
        )

    def row(self) -> str:
        """For a table of Markdown."""
        end = "**THROUGH**" if self.through else "held"
        said = (self.name, self.tried, self.stopped, self.by, self.figure)
        return f"| {end} | {' | '.join(str(each).replace('|', '/') for each in said)} |"


HEAD = f"{'':<8}{'attack':<58}{'tried':>8}{'stopped':>9}  {'stopped by':<26}figure (bound)"


def gathered(rows: Iterable[Outcome]) -> list[Outcome]:
    """The rows, pieces of one put together where the first of them stands."""
    found: dict[str, Outcome] = {}
    for row in rows:
        name = PIECE.sub("", row.name)
        first = found.get(name)
        if first is None:
            found[name] = replace(row, name=name)
            continue
        counts = dict(Counter(first.counts) + Counter(row.counts))
        said = ", ".join(f"{number:,} {what}" for what, number in counts.items())
        bad = first if first.through else row
        found[name] = replace(
            first, tried=first.tried + row.tried, stopped=first.stopped + row.stopped,
            counts=counts, through=bad.through, figure=bad.figure if bad.through else said,
        )  # fmt: skip
    return list(found.values())
