"""Which values of an undeclared key may be shown: the first half of step (9), before any cell is
read.

`Selected` can be constructed by `select` alone, and `nodes.release` takes the axis of such a key
from nothing else, so a value that did not pass has no way out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from landbridge.errors import error
from policies.disclosure import ReleasePlan
from policies.noise import Draw
from policies.selection import passing

_SEAL: Final = object()


@dataclass(frozen=True, slots=True)
class Selected:
    """A plan whose open axis holds the values that may be shown.

    `codes` are the numbers by which the engine's table knows them, in the order of the axis; they
    say which other values there are, and never leave the department.
    """

    plan: ReleasePlan
    codes: tuple[int, ...]
    _seal: object = field(repr=False, compare=False)

    def __post_init__(self) -> None:
        if self._seal is not _SEAL:
            raise TypeError("only nodes.selection.select makes a Selected")

    @property
    def place(self) -> int:
        """Which of the plan's axes was open."""
        return next(p for p, axis in enumerate(self.plan.axes) if axis.found)


def select(plan: ReleasePlan, counted: Iterable[Sequence[object]], draw: Draw) -> Selected:
    """The values whose noisy number of units reaches the plan's threshold.

    `counted` are the engine's rows as `nodes.compile.compile_selection` describes them: code,
    value, units. The noisy numbers themselves go nowhere. Raises RUN_FAILED for anything else.
    """
    rule = plan.selection
    if rule is None:
        raise TypeError("nothing is to be selected")
    found: dict[str, tuple[int, int]] = {}
    for row in counted:
        match row:
            case (int() as code, str() as value, int() as units) if value not in found:
                found[value] = code, units
            case _:
                raise error("RUN_FAILED")
    values = sorted(found)
    noisy = draw([found[value][1] for value in values], rule.mechanism)
    shown = passing(values, noisy, rule.threshold, rule.room)
    return Selected(plan.closed(shown), tuple(found[value][0] for value in shown), _SEAL)
