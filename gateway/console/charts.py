"""Numbers over time as bars: places for SVG, made beside the table that says the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

WIDTH: Final = 720
HEIGHT: Final = 180
LEFT: Final = 44
BOTTOM: Final = 22


@dataclass(frozen=True, slots=True)
class Bar:
    """A piece of a stack; `kind` is what it is coloured by."""

    kind: str
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Chart:
    """Bars, labels of spans as (x, text), and lines of the scale as (y, number)."""

    bars: tuple[Bar, ...]
    spans: tuple[tuple[float, str], ...]
    scale: tuple[tuple[float, int], ...]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT


def stacked(spans: Sequence[str], counts: Mapping[str, Mapping[str, int]]) -> Chart:
    """One stack for each span, of its `counts` by kind."""
    kinds = sorted({kind for each in counts.values() for kind in each})
    most = max((sum(counts.get(span, {}).values()) for span in spans), default=0) or 1
    room = HEIGHT - BOTTOM - 8
    step = (WIDTH - LEFT) / max(1, len(spans))
    bars, labels = [], []
    each_label = max(1, len(spans) // 8)
    for at, span in enumerate(spans):
        x, y = LEFT + at * step, float(HEIGHT - BOTTOM)
        for kind in kinds:
            height = counts.get(span, {}).get(kind, 0) / most * room
            if height:
                y -= height
                bars.append(Bar(kind, round(x + 1, 1), round(y, 1), round(max(1.0, step - 2), 1),
                                round(height, 1)))  # fmt: skip
        if at % each_label == 0:
            labels.append((round(x, 1), span[5:].replace("T", " ")))
    scale = tuple(
        (round(HEIGHT - BOTTOM - part * room, 1), round(most * part)) for part in (0.0, 0.5, 1.0)
    )
    return Chart(tuple(bars), tuple(labels), scale)


def days(last: datetime, count: int) -> tuple[str, ...]:
    """The last so many days, oldest first, as an index spells them."""
    return tuple(
        (last - timedelta(days=back)).strftime("%Y-%m-%d") for back in reversed(range(count))
    )


def hours(last: datetime, count: int) -> tuple[str, ...]:
    """The last so many hours, oldest first."""
    return tuple(
        (last - timedelta(hours=back)).strftime("%Y-%m-%dT%H") for back in reversed(range(count))
    )
