"""Access levels: a level per column and handler, a clearance per caller."""

from __future__ import annotations

from enum import IntEnum


class Level(IntEnum):
    """`open < internal < restricted < sealed`.

    A caller sees what is at or under their clearance. A `sealed` column is joined on and counted
    over, whoever asks; it is never selected, grouped by, filtered on or aggregated.
    """

    OPEN = 0
    INTERNAL = 1
    RESTRICTED = 2
    SEALED = 3

    @classmethod
    def named(cls, name: str) -> Level:
        """The level of that lower-case name; ValueError names the four that exist."""
        for level in cls:
            if level.label == name:
                return level
        known = ", ".join(level.label for level in cls)
        raise ValueError(f"{name!a} is no access level; the levels are {known}")

    @property
    def label(self) -> str:
        """The level's name as contracts and tokens spell it."""
        return self.name.lower()
