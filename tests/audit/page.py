"""The page that shows the last long run, and which whole runs of the same code held.

After the line `<!-- torture -->` stand what the run was, one line for each full run in a row in
which nothing got through, and the table. Lines stay from run to run while the code is the same
(`tests.audit.tree`); one full run of it in which something got through, and none of them is left.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.audit.advantage import PREFIX, matrix
from tests.audit.outcome import Outcome
from tests.audit.tree import Tree

MARK: Final = "<!-- torture -->"
_LINE: Final = re.compile(r"(?m)^\| \d+ \| .* \| `(\w+)` \| \d+ \| \d+ \| \d+ \|$")
_HEAD: Final = (
    "| | ended, UTC | commit | code | seed | minutes | rows |",
    "|---|---|---|---|---|---|---|",
)


@dataclass(frozen=True, slots=True)
class Run:
    """One run: when it ended, on what, how long it took, and what share of the full form it was.

    `whole`: no rows were left out.
    """

    ended: str
    tree: Tree
    seed: int
    effort: float
    whole: bool
    minutes: float

    @property
    def full(self) -> bool:
        """Whether it counts as one: everything at full length, on a commit and nothing else."""
        return self.whole and self.effort >= 1 and self.tree.clean

    def head(self, rows: Sequence[Outcome]) -> str:
        """One sentence of it."""
        through = sum(row.through for row in rows)
        what = "The last run" if self.whole else "A look at some rows only"
        return (
            f"{what}: effort {self.effort:g}, seed {self.seed}, {len(rows)} rows, on {self.tree}, "
            f"{self.ended} UTC, {self.minutes:.0f} minutes; "
            + (f"{through} got through." if through else "nothing got through.")
        )


def write(page: Path, rows: Sequence[Outcome], run: Run) -> None:
    """Puts the table in the place of the last one; ends the program where the page has no mark."""
    text, mark, before = page.read_text("utf-8").partition(MARK)
    if not mark:
        raise SystemExit(f"{page} has no line {MARK}")
    parts = [MARK, run.head(rows)]
    held = _held(before, rows, run)
    if held:
        said = f"Full runs of this code in a row in which nothing got through: {len(held)}."
        parts += [said, "\n".join((*_HEAD, *held))]
    parts += [_table(rows)]
    if beside := matrix(rows):
        parts += [
            "### Advantage over guessing",
            "The share of right guesses, where guessing alone is right half of the time; in "
            "brackets what is not promised.",
            beside,
        ]
    page.write_text(text + "\n\n".join(parts) + "\n", "utf-8")


def _held(before: str, rows: Sequence[Outcome], run: Run) -> list[str]:
    """The lines of full runs in a row, this one among them if it is one."""
    held = [found[0] for found in _LINE.finditer(before) if found[1] == run.tree.code]
    if run.full and any(row.through for row in rows):
        return []
    if run.full:
        held.append(
            f"| {len(held) + 1} | {run.ended} | {run.tree} | `{run.tree.code}` | {run.seed} | "
            f"{run.minutes:.0f} | {len(rows)} |"
        )
    return held


def _table(rows: Sequence[Outcome]) -> str:
    return "\n".join(
        (
            "| | attack | tried | stopped | stopped by | figure (bound) |",
            "|---|---|---|---|---|---|",
            *(row.row() for row in rows if not row.name.startswith(PREFIX)),
        )
    )
