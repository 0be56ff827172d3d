"""What a gateway in memory says: answers written down as columns, and their messages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime

from landbridge.answers import Answer, Cell, Column, ColumnType, Cost, Note, Plan, Value
from landbridge.directory import Directory
from landbridge.errors import error
from landbridge.v1 import gateway_pb2
from landbridge.wire import write_literal

Wire = gateway_pb2.ResultColumn

_TYPES = {
    ColumnType.INTEGER: Wire.TYPE_INTEGER,
    ColumnType.REAL: Wire.TYPE_REAL,
    ColumnType.TEXT: Wire.TYPE_TEXT,
    ColumnType.BOOLEAN: Wire.TYPE_BOOLEAN,
    ColumnType.DATE: Wire.TYPE_DATE,
    ColumnType.TIMESTAMP: Wire.TYPE_TIMESTAMP,
}


@dataclass(frozen=True, slots=True)
class Released:
    """Released numbers, each with the half-width of its 95 % interval."""

    values: Sequence[int | float | None]
    half_widths: Sequence[float | None]


Columns = Mapping[str, Sequence[Value | None] | Released]
"""An answer by its columns, in their order."""


def released(
    values: Sequence[int | float | None], *, within: float | Sequence[float | None] | None = None
) -> Released:
    """Released numbers; `within` is the half-width of all, or of each."""
    widths = [within] * len(values) if within is None or isinstance(within, int | float) else within
    return Released(values, tuple(widths))


def answer(
    columns: Columns,
    *,
    notes: Mapping[str, str] | None = None,
    missing: Sequence[str] = (),
    departments: Sequence[str] = ("test",),
    epsilon: float = 1.0,
    delta: float = 1e-6,
    as_of: Mapping[str, str] | None = None,
) -> Answer:
    """An answer from its columns: plain lists are grouping keys, `released` ones are numbers.

    A column's type is that of its values (text where all are None). Raises INVALID_ARGUMENT for
    columns of different lengths or mixed types.
    """
    heads, lists = [], []
    for name, given in columns.items():
        values = given.values if isinstance(given, Released) else given
        widths = given.half_widths if isinstance(given, Released) else [None] * len(values)
        kind = _type(name, values)
        real = kind is ColumnType.REAL
        heads.append(Column(name, kind, isinstance(given, Released)))
        lists.append(
            [
                Cell(float(value) if real and isinstance(value, int) else value, width)
                for value, width in zip(values, widths, strict=True)
            ]
        )
    if len({len(cells) for cells in lists}) > 1:
        raise error("INVALID_ARGUMENT", "The columns of a scripted answer differ in length.")
    return Answer(
        columns=tuple(heads),
        cells=tuple(zip(*lists, strict=True)),
        notes=tuple(Note(kind, text) for kind, text in (notes or {}).items()),
        missing=tuple(missing),
        departments=tuple(departments),
        cost=Cost(epsilon, delta, ()),
        receipt=None,
        as_of=dict(as_of or {}),
    )


def _type(name: str, values: Sequence[Value | None]) -> ColumnType:
    kinds = {_kind(value) for value in values if value is not None}
    if kinds == {ColumnType.INTEGER, ColumnType.REAL}:
        return ColumnType.REAL
    if len(kinds) > 1:
        raise error("INVALID_ARGUMENT", f"The values of the scripted column {name} differ in type.")
    return kinds.pop() if kinds else ColumnType.TEXT


def _kind(value: Value) -> ColumnType:
    match value:
        case bool():
            return ColumnType.BOOLEAN
        case int():
            return ColumnType.INTEGER
        case float():
            return ColumnType.REAL
        case str():
            return ColumnType.TEXT
        case datetime():
            return ColumnType.TIMESTAMP
        case date():
            return ColumnType.DATE


def query_response(given: Answer) -> gateway_pb2.QueryResponse:
    """The message of an answer."""
    message = gateway_pb2.QueryResponse(
        columns=[
            Wire(name=column.name, type=_TYPES[column.type], released=column.released)
            for column in given.columns
        ],
        notes=[gateway_pb2.Note(kind=note.kind, text=note.text) for note in given.notes],
        missing=given.missing,
        departments=given.departments,
        cost=gateway_pb2.Cost(epsilon=given.cost.epsilon, delta=given.cost.delta),
        as_of=given.as_of,
    )
    for row in given.cells:
        values = message.rows.add().values
        for cell in row:
            added = values.add()
            if cell.value is not None:
                added.value.CopyFrom(write_literal(cell.value, "A scripted value"))
            if cell.half_width is not None:
                added.half_width = cell.half_width
    return message


def explain_response(plan: Plan) -> gateway_pb2.ExplainResponse:
    """The message of a plan."""
    message = gateway_pb2.ExplainResponse(
        mode=plan.mode,
        why=plan.why,
        departments=plan.departments,
        contract=plan.contract,
        columns=[
            gateway_pb2.UsedColumn(name=used.name, level=used.level, clause=used.clause)
            for used in plan.columns
        ],
        cells=plan.cells,
        epsilon=plan.epsilon,
        delta=plan.delta,
        notes=[gateway_pb2.Note(kind=note.kind, text=note.text) for note in plan.notes],
        question=plan.question,
        rounds=plan.rounds,
        bytes=plan.bytes,
        as_of=plan.as_of,
    )
    for column, half_width in plan.accuracy.items():
        expected = message.accuracy.add(column=column)
        if half_width is not None:
            expected.half_width = half_width
    return message


def directory_response(directory: Directory) -> gateway_pb2.DirectoryResponse:
    """The message of a directory, whose fields have the names of the values'."""
    return gateway_pb2.DirectoryResponse(**asdict(directory))
