"""The picture of docs/scale.md: how full each place is, and how that grows with the load.

Plain SVG, with words and numbers in it, and a table beside it in the page.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from math import log10
from typing import Final

from bench.scale.nation import Place

WIDTH: Final = 860
LEFT: Final = 250
RIGHT: Final = 40
ROW: Final = 34
TOP: Final = 56
LEAST, MOST = 0.01, 100.0
"""The ends of the scale, which is logarithmic: in parts of what a place has to give."""
WORDS: Final = {0.01: "1 %", 0.1: "10 %", 1.0: "full", 10.0: "10 times", 100.0: "100 times"}
FULL: Final = "#b7791f"
ROOM: Final = "#2b6cb0"


def x_of(used: float) -> float:
    """Where that share stands."""
    share = min(MOST, max(LEAST, used))
    part = (log10(share) - log10(LEAST)) / (log10(MOST) - log10(LEAST))
    return LEFT + part * (WIDTH - LEFT - RIGHT)


def picture(loads: Sequence[tuple[float, Sequence[Place]]]) -> str:
    """For each multiple of the day's load, how full each place is; the places are those of all."""
    names = [place.name for place in loads[0][1]]
    height = TOP + ROW * len(names) + 60
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        'font-family="system-ui, sans-serif" font-size="13">',
        "<title>How full each place of one gateway and the busiest department is, by load</title>",
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
    ]
    for tick in WORDS:
        x = x_of(tick)
        colour, width = ("#c53030", 2) if tick == 1.0 else ("#ddd", 1)
        parts.append(
            f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{TOP - 10}" y2="{height - 50}" '
            f'stroke="{colour}" stroke-width="{width}"/>'
        )
        word = WORDS[tick]
        parts.append(f'<text x="{x:.1f}" y="{TOP - 18}" text-anchor="middle">{word}</text>')
    for number, name in enumerate(names):
        y = TOP + ROW * number + ROW / 2
        parts.append(
            f'<text x="{LEFT - 10}" y="{y + 4:.1f}" text-anchor="end">{escape(name)}</text>'
        )
        marks = []
        for times, places in loads:
            used = next(place.used for place in places if place.name == name)
            marks.append((times, used))
        parts.append(
            f'<line x1="{x_of(marks[0][1]):.1f}" x2="{x_of(marks[-1][1]):.1f}" y1="{y:.1f}" '
            f'y2="{y:.1f}" stroke="#aaa" stroke-width="3"/>'
        )
        for times, used in marks:
            colour = FULL if used >= 1 else ROOM
            parts.append(
                f'<circle cx="{x_of(used):.1f}" cy="{y:.1f}" r="6" fill="{colour}"/>'
                f'<text x="{x_of(used):.1f}" y="{y - 9:.1f}" text-anchor="middle" font-size="10">'
                f"{times:g}x</text>"
            )
    multiples = ", ".join(f"{each:g}" for each, _ in loads)
    parts.append(
        f'<text x="20" y="{height - 18}">One gateway process, in the busiest hour of {multiples} '
        "times the day's load. Blue has room, brown is full.</text></svg>"
    )
    return "\n".join(parts) + "\n"
