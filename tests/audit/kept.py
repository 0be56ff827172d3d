"""What a long run has found so far, in a file, so that another one goes on where it ended.

One line of JSON a row of the table; rows of a job stand there together or not at all. A file is of
one run: of one seed, one effort and one code, and is refused on another.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from tests.audit.outcome import Outcome
from tests.audit.tree import Tree


class Kept:
    """What earlier runs with this file found; nothing without one. Ends the program (SystemExit)
    where the file is of another code.
    """

    def __init__(self, path: Path | None, tree: Tree) -> None:
        self._path = path
        self._tree = tree
        lines = path.read_text("utf-8").splitlines() if path and path.exists() else []
        self._rows = [json.loads(line) for line in lines]
        first = self._rows[0] if self._rows else {}
        self.seed: int | None = first.get("seed")
        self.effort: float | None = first.get("effort")
        self.minutes = sum(float(row.get("minutes", 0)) for row in self._rows)
        """How long all of it took, without what was not kept."""
        if first and first.get("code") != tree.code:
            raise SystemExit(
                f"{path} is of a run on {first.get('tree', 'code that it does not name')}, and the "
                "code is another now: go back to that, or name another file."
            )

    def of(self, job: str) -> list[Outcome]:
        """The rows of that job, if it was done whole."""
        whole = [row for row in self._rows if row["job"] == job]
        if not whole or not whole[-1]["last"]:
            return []
        return [Outcome(**row["outcome"]) for row in whole]

    def keep(self, job: str, found: Sequence[Outcome], minutes: float, **said: object) -> None:
        """Adds them, all of them or none; `minutes` went by since the last ones."""
        if self._path is None:
            return
        said |= {"tree": str(self._tree), "code": self._tree.code, "when": now()}
        rows = [
            {"job": job, **said, "last": each is found[-1], "outcome": asdict(each)}
            for each in found
        ]
        rows[-1]["minutes"] = minutes
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a", encoding="utf-8") as file:
            file.write("".join(f"{json.dumps(row)}\n" for row in rows))


def now() -> str:
    """The minute, in UTC."""
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M")
