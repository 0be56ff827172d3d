"""One line of the audit's table."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was tried and how it ended.

    `tried` and `stopped` count attempts of one kind (questions, games, guesses); `by` names what
    stopped them; `figure` is the attacker's best beside its bound; `through` whether the bound
    was passed.
    """

    name: str
    tried: int
    stopped: int
    by: str
    figure: str
    through: bool

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
