"""What one question costs, in seconds of one core, fitted to what was measured on this product.

`measured.json` holds the measurements; `python -m bench.scale --measure` takes them anew. All else
here is arithmetic: straight lines through measured points, and nothing that nobody measured.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

MEASURED: Final = Path(__file__).parent / "measured.json"


@dataclass(frozen=True, slots=True)
class Line:
    """`base + slope * x`, as the least squares through measured points has it."""

    base: float
    slope: float

    def at(self, x: float) -> float:
        """The value there."""
        return self.base + self.slope * x


def fitted(points: Sequence[tuple[float, float]]) -> Line:
    """The line through the points by least squares, never with a negative base or slope.

    Relative errors are made small, not absolute ones: each point weighs by its own value.
    """
    weights = [1 / max(y, 1e-12) ** 2 for _, y in points]
    whole = sum(weights)
    mean_x = sum(w * x for w, (x, _) in zip(weights, points, strict=True)) / whole
    mean_y = sum(w * y for w, (_, y) in zip(weights, points, strict=True)) / whole
    spread = sum(w * (x - mean_x) ** 2 for w, (x, _) in zip(weights, points, strict=True))
    if not spread:
        return Line(mean_y, 0.0)
    slope = (
        sum(w * (x - mean_x) * (y - mean_y) for w, (x, y) in zip(weights, points, strict=True))
        / spread
    )
    slope = max(0.0, slope)
    return Line(max(0.0, mean_y - slope * mean_x), slope)


@dataclass(frozen=True, slots=True)
class Costs:
    """Seconds of one core unless it says otherwise.

    `gateway`, `node`, `worker`: of a handler's call, each process. `remembered`: of a question that
    was answered before, at both. `scan`: of a fresh question, by its rows. `part`: of one
    department's part of a question over many, at gateway and node together. `mask`: of one pair of
    members of a pooled question, at each of the two. `upkeep`: of asking one member how it is, at
    both. `locked` is the share of a server's time that holds the interpreter's lock. `entry` is a
    log entry's bytes, `sync` the wall's seconds of a commit, `verify` seconds of one core to verify
    a published entry.
    """

    gateway: float
    node: float
    worker: float
    remembered: float
    scan: Line
    part: float
    mask: float
    upkeep: float
    locked: float
    entry: float
    sync: float
    verify: float

    @classmethod
    def of(cls, found: Mapping[str, Any]) -> Costs:
        """From what was measured, in its units: milliseconds, microseconds, bytes."""
        return cls(
            gateway=found["call_ms"]["gateway"] / 1e3,
            node=found["call_ms"]["node"] / 1e3,
            worker=found["call_ms"]["worker"] / 1e3,
            remembered=found["remembered_ms"] / 1e3,
            scan=fitted([(rows, ms / 1e3) for rows, ms in found["scan_ms"]]),
            part=found["part_ms"] / 1e3,
            mask=found["mask_us"] / 1e6,
            upkeep=found["upkeep_ms"] / 1e3,
            locked=found["locked_share"],
            entry=found["entry_bytes"],
            sync=found["sync_ms"] / 1e3,
            verify=found["verify_us"] / 1e6,
        )

    @classmethod
    def read(cls, path: Path = MEASURED) -> Costs:
        """From the file."""
        return cls.of(json.loads(path.read_text("utf-8")))

    @property
    def a_process(self) -> float:
        """Calls a second that one gateway process can take: its interpreter is full then."""
        return 1 / (self.gateway * self.locked)
