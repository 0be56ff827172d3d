"""The way from an entry to the root, as a drawing: which hash is known, which is computed.

Places only; the template turns them into SVG, and the browser's script colours what it verified.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

WIDTH: Final = 320
ROW: Final = 44
TOP: Final = 24


@dataclass(frozen=True, slots=True)
class Node:
    """A hash: the entry's own, one that is computed from two below it, or one of the proof.

    `label` says which entries lie under it.
    """

    kind: str
    x: int
    y: int
    label: str


@dataclass(frozen=True, slots=True)
class Drawing:
    """Nodes, and lines from a node to the one above it."""

    width: int
    height: int
    nodes: tuple[Node, ...]
    lines: tuple[tuple[int, int, int, int], ...]


def drawn(index: int, size: int) -> Drawing:
    """The path of RFC 6962, 2.1.1, root on top."""
    steps: list[tuple[bool, int, int]] = []
    start, end = 0, size
    while end - start > 1:
        split = start + (1 << (end - start - 1).bit_length() - 1)
        # The sibling is the half that the entry is not in.
        if index < split:
            steps.append((False, split, end))
            end = split
        else:
            steps.append((True, start, split))
            start = split
    height = TOP * 2 + ROW * len(steps)
    middle = WIDTH // 2
    nodes = [Node("root" if steps else "leaf", middle, TOP, _span(0, size))]
    lines: list[tuple[int, int, int, int]] = []
    first, last = 0, size
    for depth, (left, low, high) in enumerate(steps, start=1):
        y = TOP + ROW * depth
        first, last = (high, last) if left else (first, low)
        aside = middle - 110 if left else middle + 110
        nodes.append(Node("given", aside, y, _span(low, high)))
        nodes.append(Node("leaf" if depth == len(steps) else "made", middle, y, _span(first, last)))
        above = TOP + ROW * (depth - 1)
        lines += [(aside, y, middle, above), (middle, y, middle, above)]
    return Drawing(WIDTH, height, tuple(nodes), tuple(lines))


def _span(start: int, end: int) -> str:
    return str(start) if end - start == 1 else f"{start}\N{EN DASH}{end - 1}"
