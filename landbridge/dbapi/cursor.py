"""A cursor of PEP 249: one answer at a time, row by row."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from landbridge.annotation import Terms, agreed
from landbridge.answers import Answer, Cell, Column, ColumnType, Value
from landbridge.client import Client
from landbridge.dbapi import failures

Description = tuple[str, ColumnType, None, None, None, None, None]
Row = tuple[Value | None, ...]


@dataclass(frozen=True, slots=True)
class Stated:
    """What a connection states of every question."""

    terms: Terms
    partial: bool
    half_widths: bool
    mixed_dates: bool


class Cursor:
    """Made by `Connection.cursor`.

    `answer` is the whole answer of the last question, with accuracy, notes, cost and receipt; None
    before there is one.
    """

    def __init__(self, client: Client, stated: Stated, require_open: Callable[[], object]) -> None:
        self._client = client
        self._stated = stated
        self._require_open = require_open
        self._open = True
        self._rows: Iterator[Row] | None = None
        self.arraysize = 1
        self.answer: Answer | None = None
        self.description: list[Description] | None = None
        self.rowcount = -1

    def execute(self, operation: str, parameters: Sequence[Value] = ()) -> Self:
        """Asks; `parameters` go to the places (?) of the text as values, never as text.

        Raises the exceptions of PEP 249; `refusal` of each is ours.
        """
        self._require()
        self._rows, self.answer, self.description, self.rowcount = None, None, None, -1
        with failures.raised_as_pep_249():
            # The gateway reads the text's comment too, and has the last word.
            terms = agreed(operation, self._stated.terms)
            answer = self._client.query(
                operation,
                purpose=terms.purpose,
                epsilon=terms.micro_epsilon / 1_000_000 or None,
                partial=self._stated.partial,
                mixed_dates=self._stated.mixed_dates,
                parameters=tuple(parameters),
            )
        if answer.columns:
            self.answer = answer
            self._show(answer)
        return self

    def executemany(self, operation: str, seq_of_parameters: Sequence[Sequence[Value]]) -> None:
        """Raises NotSupportedError: PEP 249 means writing, and each question is charged."""
        del operation, seq_of_parameters
        self._require()
        raise failures.NotSupportedError("Ask one question at a time, with execute.")

    def fetchone(self) -> Row | None:
        """The next row; None after the last."""
        return next(self._result(), None)

    def fetchmany(self, size: int | None = None) -> list[Row]:
        """The next `size` rows (None: `arraysize`); fewer at the end."""
        rows, most = self._result(), self.arraysize if size is None else size
        return [row for _, row in zip(range(most), rows, strict=False)]

    def fetchall(self) -> list[Row]:
        """All rows that are left."""
        return list(self._result())

    def __iter__(self) -> Iterator[Row]:
        return self._result()

    def setinputsizes(self, sizes: Sequence[object]) -> None:
        """Does nothing."""
        del sizes

    def setoutputsize(self, size: int, column: int | None = None) -> None:
        """Does nothing."""
        del size, column

    def close(self) -> None:
        """Lets go of the answer; whatever is called afterwards raises InterfaceError."""
        self._open, self._rows = False, None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        raised: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _show(self, answer: Answer) -> None:
        widths = self._stated.half_widths
        self.description = [
            (name, kind, None, None, None, None, None)
            for column in answer.columns
            for name, kind in _named(column, half_widths=widths)
        ]
        self.rowcount = len(answer.cells)
        self._rows = iter(
            [
                tuple(
                    value
                    for column, cell in zip(answer.columns, row, strict=True)
                    for value in _values(column, cell, half_widths=widths)
                )
                for row in answer.cells
            ]
        )

    def _result(self) -> Iterator[Row]:
        self._require()
        if self._rows is None:
            raise failures.InterfaceError("There is no answer to read; execute a question first.")
        return self._rows

    def _require(self) -> None:
        self._require_open()
        if not self._open:
            raise failures.InterfaceError("This cursor is closed.")


def _named(column: Column, *, half_widths: bool) -> list[tuple[str, ColumnType]]:
    named = [(column.name, column.type)]
    if half_widths and column.released:
        named.append((f"{column.name}_half_width", ColumnType.REAL))
    return named


def _values(column: Column, cell: Cell, *, half_widths: bool) -> list[Value | None]:
    return [cell.value, cell.half_width] if half_widths and column.released else [cell.value]
