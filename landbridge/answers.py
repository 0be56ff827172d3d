"""What comes back from a gateway, as values.

Numbers here are released numbers: noisy, with the half-width of their 95 % interval beside them.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from landbridge.receipt import Receipt

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    from matplotlib.axes import Axes
    from rich.console import Group

Value = int | float | str | bool | date | datetime
"""A value that is not NULL; timestamps are aware datetimes in UTC."""


class ColumnType(StrEnum):
    """The types of an answer's columns."""

    INTEGER = "integer"
    REAL = "real"
    TEXT = "text"
    BOOLEAN = "boolean"
    DATE = "date"
    TIMESTAMP = "timestamp"


@dataclass(frozen=True, slots=True)
class Column:
    """A column of an answer: `released` for computed numbers, otherwise a grouping key."""

    name: str
    type: ColumnType
    released: bool


@dataclass(frozen=True, slots=True)
class Note:
    """Something to know about an answer.

    `kind` is a stable lower-case word, such as "clipping", "left_out", "missing", "remembered".
    """

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Budget:
    """What one department lets this caller's organisation, or everybody, learn in all.

    Of the two the tighter one. `left_share` is from 0 to 1; `renews` is RFC 3339, empty for never;
    `charged_micro_rho` is what this question took, in millionths of rho (zCDP).
    """

    department: str
    spent_epsilon: float
    limit_epsilon: float
    left_share: float
    renews: str
    charged_micro_rho: int


@dataclass(frozen=True, slots=True)
class Cost:
    """What a question was charged, as (epsilon, delta); epsilon 0 for a remembered answer."""

    epsilon: float
    delta: float
    budgets: tuple[Budget, ...]


@dataclass(frozen=True, slots=True)
class Cell:
    """One value of an answer; None is NULL. `half_width` is that of the 95 % interval, in the
    value's own unit; None for a grouping key and where it cannot be told.
    """

    value: Value | None
    half_width: float | None


@dataclass(frozen=True, slots=True, repr=False)
class Answer:
    """A computed answer.

    `missing` names the departments that were asked and did not answer (only after
    `partial=True`), `departments` all that did. `as_of` has the day that a table's data are of, as
    "2026-10-31", where its owners said so: by its name, or by "department.table" where departments
    differ. Other tools read an answer as an Arrow table: `polars.DataFrame(answer)`,
    `duckdb.from_arrow(answer)`.
    """

    columns: tuple[Column, ...]
    cells: tuple[tuple[Cell, ...], ...]
    notes: tuple[Note, ...]
    missing: tuple[str, ...]
    departments: tuple[str, ...]
    cost: Cost
    receipt: Receipt | None
    as_of: Mapping[str, str] = field(default_factory=dict)

    def rows(self) -> list[tuple[Value | None, ...]]:
        """One tuple per row, in the order of `columns`."""
        return [tuple(cell.value for cell in row) for row in self.cells]

    def half_widths(self) -> list[tuple[float | None, ...]]:
        """The 95 % half-widths in the shape of `rows()`; None for grouping keys."""
        return [tuple(cell.half_width for cell in row) for row in self.cells]

    @property
    def accuracy(self) -> Mapping[str, list[float | None]]:
        """Released column's name -> 95 % half-width per row, in the order of `rows()`.

        For example `frame["plus_minus"] = answer.accuracy["n"]`. Where two columns share a name
        the later one is shown; `half_widths()` has both.
        """
        return {
            column.name: [row[place].half_width for row in self.cells]
            for place, column in enumerate(self.columns)
            if column.released
        }

    def to_arrow(self, *, accuracy: bool = False) -> pa.Table:
        """As a pyarrow.Table; needs the extra `landbridge[arrow]`.

        With `accuracy`, each released column is followed by `<name>_half_width` (float64).
        """
        from landbridge.arrow import table

        return table(self, accuracy=accuracy)

    def to_pandas(self, *, accuracy: bool = False) -> pd.DataFrame:
        """As a pandas.DataFrame, columns as in `to_arrow`; needs the extra `landbridge[pandas]`."""
        from landbridge.arrow import frame

        return frame(self, accuracy=accuracy)

    def plot(self, *columns: str, ax: Axes | None = None) -> Axes:
        """A chart of the released columns (of those named, else all) with 95 % error bars.

        Drawn on `ax`, or on axes of its own; needs the extra `landbridge[plot]`.
        """
        from landbridge.plot import chart

        return chart(self, *columns, axes=ax)

    def __arrow_c_schema__(self) -> object:
        """The schema of `__arrow_c_stream__`, of the Arrow PyCapsule interface."""
        return self.to_arrow().schema.__arrow_c_schema__()

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """The Arrow PyCapsule interface, by which other libraries read an answer unasked."""
        return self.to_arrow().__arrow_c_stream__(requested_schema)

    def __rich__(self) -> Group:
        from landbridge.table import answer_table

        return answer_table(self)

    def _repr_html_(self) -> str:
        from landbridge.notebook import answer_html

        return answer_html(self)

    def __repr__(self) -> str:
        from rich.console import Console

        page = io.StringIO()
        Console(file=page, width=120, color_system=None, legacy_windows=False).print(self)
        return page.getvalue().rstrip("\n")


@dataclass(frozen=True, slots=True)
class UsedColumn:
    """A column that a question reads; `clause` is "select", "filter" or "group"."""

    name: str
    level: str
    clause: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What a question would do, need and cost.

    `mode` is "one department", "fan-out", "pooled" or "linked" and `why` says so in a
    sentence; `question` is the typed question in words; `accuracy` is the expected 95 % half-width
    per released column, None where it depends on the data; `cells` is 0 where how many there will
    be is not known. Each department is asked in `rounds` rounds and sends at most `bytes` of
    numbers (0: not known). `as_of` is as in `Answer`.
    """

    mode: str
    why: str
    question: str
    contract: str
    departments: tuple[str, ...]
    columns: tuple[UsedColumn, ...]
    cells: int
    epsilon: float
    delta: float
    accuracy: Mapping[str, float | None]
    budgets: tuple[Budget, ...]
    notes: tuple[Note, ...]
    rounds: int = 1
    bytes: int = 0
    as_of: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reply:
    """What a department's handler says about a subject, and the handler's version.

    `code` is one of its declared codes (of a verdict, PASS or FAIL with `reasons`), or empty where
    `number` is the reply. Of a batch, one receipt stands for all.
    """

    code: str
    version: str
    receipt: Receipt | None
    reasons: tuple[str, ...] = ()
    number: float | None = None
