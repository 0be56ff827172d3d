"""The rows of a run as a page: how far each is from its aim, drawn, and the table beside it.

The one file of the benchmark that needs matplotlib (the extra `plot`).
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from html import escape
from typing import Final

from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from bench.row import Row

HOLDS: Final = "#2b6cb0"
MISSES: Final = "#b7791f"
_STYLE: Final = """
body{font:15px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem}
table{border-collapse:collapse;width:100%}td,th{border-bottom:1px solid #ccc;padding:.3rem .6rem;
text-align:left;vertical-align:top}td.n{text-align:right;font-variant-numeric:tabular-nums}
svg{max-width:100%;height:auto}
"""


def used(row: Row) -> tuple[float, float, float] | None:
    """How much of its aim a row uses, with the smallest and the largest sample; 1 is just met.

    None for a row without figure or aim. The spread of a ratio is that of its value over the
    floor's median.
    """
    if row.aim is None or row.value is None or row.ratio is None or row.spread is None:
        return None
    of, _, limit = row.aim.split()
    scale = 1.0 if of == "value" else row.ratio / row.value
    three = [figure * scale / float(limit) for figure in (row.value, *row.spread)]
    if row.better == "higher":
        middle, least, most = (1 / each if each else float("inf") for each in three)
        return middle, most, least
    return three[0], three[1], three[2]


def page(rows: Sequence[Row], machine: str) -> str:
    """One HTML page without anything from elsewhere; `machine` says where the rows were taken."""
    body = "".join(_line(row) for row in rows)
    return (
        "<!doctype html><html lang=en><meta charset=utf-8><title>What Landbridge costs</title>"
        f"<style>{_STYLE}</style><h1>What Landbridge costs</h1><p>{escape(machine)}. Each figure "
        "stands beside a floor that was measured in the same run; docs/bench.md says how to read "
        f"them.</p>{_chart(rows)}<table><thead><tr><th>row<th>value<th>floor<th>ratio<th>aim"
        f"<th>samples, spread<th>what</tr></thead><tbody>{body}</tbody></table></html>\n"
    )


def _line(row: Row) -> str:
    spread = "" if row.spread is None else f"{row.spread[0]:g} to {row.spread[1]:g}"
    numbers = (row.value, row.floor, row.ratio)
    shown = "".join(f"<td class=n>{'' if each is None else f'{each:g}'}" for each in numbers)
    return (
        f"<tr><td>{escape(row.row)}{shown}<td>{escape(row.aim or '')}"
        f"<td>{row.n}{': ' + spread if spread else ''}<td>{escape(row.note)}</tr>"
    )


def _chart(rows: Sequence[Row]) -> str:
    """Bars of the rows with an aim; empty where there is none."""
    drawn = [(row, found) for row in reversed(rows) if (found := used(row)) is not None]
    if not drawn:
        return ""
    figure = Figure(figsize=(9, 0.8 + 0.36 * len(drawn)), layout="constrained")
    axes = figure.add_subplot()
    middles = [found[0] for _, found in drawn]
    axes.barh(
        [row.row for row, _ in drawn],
        middles,
        xerr=[
            [max(0.0, found[0] - found[1]) for _, found in drawn],
            [max(0.0, found[2] - found[0]) for _, found in drawn],
        ],
        color=[HOLDS if middle <= 1 else MISSES for middle in middles],
        error_kw={"linewidth": 1},
    )
    axes.axvline(1, color="black", linewidth=1)
    axes.set_xscale("log")
    axes.set_xlabel("how much of its aim a row uses (left of the line: the aim holds)")
    text = io.StringIO()
    FigureCanvasSVG(figure).print_svg(text)  # type: ignore[no-untyped-call]
    return text.getvalue().partition("<svg")[1] + text.getvalue().partition("<svg")[2]
