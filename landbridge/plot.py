"""An answer as a chart with error bars; the one file that needs matplotlib."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Final

try:
    from matplotlib import pyplot as plt
except ImportError:
    raise ImportError(
        "Charts need matplotlib, which is not installed: pip install 'landbridge[plot]', or use "
        "Answer.rows() and Answer.half_widths()."
    ) from None

from landbridge.answers import Answer, Value
from landbridge.errors import error
from landbridge.table import shown

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_LABELS: Final = 60
_LONGEST_LABEL: Final = 30


def chart(answer: Answer, *columns: str, axes: Axes | None) -> Axes:
    """One point per row and released column, with a bar of its 95 % interval.

    The grouping keys are the x axis: by value where there is one key of numbers or dates, otherwise
    one place per row, labelled. A NULL is not drawn. Raises INVALID_ARGUMENT for a column that is
    not a released one.
    """
    places = _released(answer, columns)
    if axes is None:
        _, axes = plt.subplots(layout="constrained")
    keys = [place for place, column in enumerate(answer.columns) if not column.released]
    labels = [_label([row[place].value for place in keys]) for row in answer.cells]
    numbers = _numbers([row[keys[0]].value for row in answer.cells]) if len(keys) == 1 else None
    shift = 0.0 if numbers is not None or len(places) == 1 else 0.6 / len(places)
    for number, place in enumerate(places):
        points = [
            (at, float(cell.value), cell.half_width or 0.0)
            for at, row in enumerate(answer.cells)
            if isinstance((cell := row[place]).value, int | float)
        ]
        where = [
            numbers[at] if numbers is not None else at + shift * (number - (len(places) - 1) / 2)
            for at, _, _ in points
        ]
        axes.errorbar(
            where,  # type: ignore[arg-type] # its types do not know that dates are drawn as dates
            [value for _, value, _ in points],
            yerr=[half_width for _, _, half_width in points],
            fmt="o",
            capsize=3,
            label=_plain(answer.columns[place].name),
        )
    axes.set_xlabel(_plain(", ".join(answer.columns[place].name for place in keys)))
    axes.set_ylabel(_plain(", ".join(answer.columns[place].name for place in places)))
    if numbers is None:
        axes.set_xticks(
            range(min(len(labels), MOST_LABELS)), labels[:MOST_LABELS], rotation=45, ha="right"
        )
    if len(places) > 1:
        axes.legend()
    partial = f", without {', '.join(answer.missing)}" if answer.missing else ""
    axes.set_title(_plain(f"bars: 95 % intervals{partial}"), fontsize="small")
    return axes


def _released(answer: Answer, columns: tuple[str, ...]) -> list[int]:
    known = {column.name: place for place, column in enumerate(answer.columns) if column.released}
    unknown = [name for name in columns if name not in known]
    if unknown or not known:
        raise error(
            "INVALID_ARGUMENT",
            f"The answer has no released column {', '.join(unknown) or 'at all'}.",
            hint=f"There is {', '.join(known)}." if known else "",
        )
    return [known[name] for name in columns] or list(known.values())


def _numbers(values: list[Value | None]) -> list[int | float | date] | None:
    found: list[int | float | date] = [
        value
        for value in values
        if isinstance(value, int | float | date) and not isinstance(value, bool)
    ]
    return found if found and len(found) == len(values) else None


def _label(values: list[Value | None]) -> str:
    whole = ", ".join("NULL" if value is None else str(value) for value in values)
    return _plain(whole if len(whole) <= _LONGEST_LABEL else whole[: _LONGEST_LABEL - 1] + "…")


def _plain(text: str) -> str:
    """The text as text: a dollar sign would begin a formula."""
    return shown(text).replace("$", r"\$")
