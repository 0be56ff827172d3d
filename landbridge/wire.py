"""Between the SDK's values and the messages of landbridge.v1, in both directions.

Reading checks what it reads: a reply that contradicts itself is a Fault ANSWER_REJECTED and never
half an answer.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import UTC, date, datetime
from typing import Final

from landbridge.answers import (
    Answer,
    Budget,
    Cell,
    Column,
    ColumnType,
    Cost,
    Note,
    Plan,
    Reply,
    UsedColumn,
    Value,
)
from landbridge.directory import (
    Directory,
    Member,
    OfferedChannel,
    OfferedColumn,
    OfferedContract,
    OfferedGroup,
    OfferedHandler,
    OfferedProcedure,
    OfferedRole,
)
from landbridge.errors import LandbridgeError, error
from landbridge.literals import from_literal, to_literal
from landbridge.receipt import Receipt
from landbridge.v1 import batch_pb2, evidence_pb2, gateway_pb2, question_pb2

_LARGEST: Final = 2**63 - 1

_TYPES: Final = {
    gateway_pb2.ResultColumn.TYPE_INTEGER: ColumnType.INTEGER,
    gateway_pb2.ResultColumn.TYPE_REAL: ColumnType.REAL,
    gateway_pb2.ResultColumn.TYPE_TEXT: ColumnType.TEXT,
    gateway_pb2.ResultColumn.TYPE_BOOLEAN: ColumnType.BOOLEAN,
    gateway_pb2.ResultColumn.TYPE_DATE: ColumnType.DATE,
    gateway_pb2.ResultColumn.TYPE_TIMESTAMP: ColumnType.TIMESTAMP,
}


def read_answer(message: gateway_pb2.QueryResponse) -> Answer:
    """The answer; raises ANSWER_REJECTED for rows that do not fit the columns."""
    columns = read_columns(message.columns)
    return Answer(
        columns=columns,
        cells=tuple(_row(columns, row) for row in message.rows),
        notes=_notes(message.notes),
        missing=tuple(message.missing),
        departments=tuple(message.departments),
        cost=Cost(message.cost.epsilon, message.cost.delta, _budgets(message.cost.budgets)),
        receipt=read_receipt(message.receipt) if message.HasField("receipt") else None,
        as_of=dict(message.as_of),
    )


def read_columns(columns: Iterable[gateway_pb2.ResultColumn]) -> tuple[Column, ...]:
    """The columns; raises ANSWER_REJECTED for one of a type that is not known."""
    return tuple(_column(column) for column in columns)


def read_plan(message: gateway_pb2.ExplainResponse) -> Plan:
    """The plan."""
    return Plan(
        mode=message.mode,
        why=message.why,
        question=message.question,
        contract=message.contract,
        departments=tuple(message.departments),
        columns=tuple(UsedColumn(used.name, used.level, used.clause) for used in message.columns),
        cells=message.cells,
        epsilon=message.epsilon,
        delta=message.delta,
        accuracy={
            expected.column: expected.half_width if expected.HasField("half_width") else None
            for expected in message.accuracy
        },
        budgets=_budgets(message.budgets),
        notes=_notes(message.notes),
        rounds=message.rounds,
        bytes=message.bytes,
        as_of=dict(message.as_of),
    )


def read_reply(message: gateway_pb2.CallResponse) -> Reply:
    """The handler's reply."""
    receipt = read_receipt(message.receipt) if message.HasField("receipt") else None
    number = message.number if message.HasField("number") else None
    return Reply(message.code, message.version, receipt, tuple(message.reasons), number)


def read_replies(message: batch_pb2.CallManyResponse) -> tuple[Reply, ...]:
    """The replies of a batch, in the order of its subjects."""
    receipt = read_receipt(message.receipt) if message.HasField("receipt") else None
    return tuple(
        Reply(
            reply.code,
            message.version,
            receipt,
            tuple(reply.reasons),
            reply.number if reply.HasField("number") else None,
        )
        for reply in message.replies
    )


def read_directory(message: gateway_pb2.DirectoryResponse) -> Directory:
    """The federation's members."""
    return Directory(
        tuple(
            Member(
                department=member.department,
                title=member.title,
                reachable=member.reachable,
                contracts=tuple(_contract(contract) for contract in member.contracts),
                handlers=tuple(
                    OfferedHandler(
                        handler.name,
                        handler.description,
                        tuple(handler.arguments),
                        tuple(handler.codes),
                        tuple(handler.purposes),
                        handler.consultable,
                        handler.queryable,
                    )
                    for handler in member.handlers
                ),
            )
            for member in message.members
        ),
        message.federation,
        tuple(
            OfferedProcedure(
                each.name,
                each.title,
                each.description,
                tuple(each.purposes),
                tuple(each.departments),
            )
            for each in message.procedures
        ),
        tuple(OfferedGroup(each.name, each.title) for each in message.groups),
    )


def error_receipt(refusal: LandbridgeError) -> Receipt | None:
    """The receipt that a refusal carries, None where it carries none."""
    if not refusal.receipt:
        return None
    return read_receipt(evidence_pb2.Receipt.FromString(refusal.receipt))


def write_literal(value: Value, where: str) -> question_pb2.Literal:
    """The value as a literal; raises INVALID_ARGUMENT, naming `where`, for what has no literal."""
    match value:
        case int() if not -_LARGEST - 1 <= value <= _LARGEST:
            raise error("INVALID_ARGUMENT", f"{where} must be a whole number of 64 bits.")
        case float() if not math.isfinite(value):
            raise error("INVALID_ARGUMENT", f"{where} must be a finite number.")
        case datetime() if value.utcoffset() is None:
            raise error(
                "INVALID_ARGUMENT",
                f"{where} must be a datetime with a time zone, for example datetime.UTC.",
            )
        case int() | float() | str() | date():
            try:
                return to_literal(value)
            except ValueError:
                raise error("INVALID_ARGUMENT", f"{where} must be valid Unicode text.") from None
        case _:
            raise error(
                "INVALID_ARGUMENT",
                f"{where} must be text, a whole or real number, a boolean, a date or a datetime, "
                f"not {type(value).__name__}.",
            )


def read_literal(literal: question_pb2.Literal) -> tuple[ColumnType, Value]:
    """The literal's type and value; raises ANSWER_REJECTED for an empty or impossible one."""
    kind = literal.WhichOneof("kind")
    if kind is None:
        raise _rejected("holds a value of a kind that this version does not know")
    try:
        value = from_literal(literal)
    except LandbridgeError:
        raise _rejected("holds a date outside the years 1 to 9999") from None
    # On the wire and in the servers times are UTC without saying so; callers get it said.
    aware = value.replace(tzinfo=UTC) if isinstance(value, datetime) else value
    return ColumnType(kind), aware


def _column(column: gateway_pb2.ResultColumn) -> Column:
    if column.type not in _TYPES:
        raise _rejected("has a column of a type that this version does not know")
    return Column(column.name, _TYPES[column.type], column.released)


def _row(columns: tuple[Column, ...], row: gateway_pb2.ResultRow) -> tuple[Cell, ...]:
    if len(row.values) != len(columns):
        raise _rejected("has a row with another number of values than there are columns")
    return tuple(_cell(column, value) for column, value in zip(columns, row.values, strict=True))


def _cell(column: Column, result: gateway_pb2.ResultValue) -> Cell:
    half_width = result.half_width if result.HasField("half_width") else None
    if half_width is not None and not 0 <= half_width < math.inf:
        raise _rejected("has a half-width that is not a finite number of at least 0")
    if not result.HasField("value"):
        return Cell(None, half_width)
    kind, value = read_literal(result.value)
    if kind is not column.type:
        raise _rejected("has a value of another type than its column's")
    return Cell(value, half_width)


def _notes(notes: Iterable[gateway_pb2.Note]) -> tuple[Note, ...]:
    return tuple(Note(note.kind, note.text) for note in notes)


def _budgets(budgets: Iterable[gateway_pb2.DepartmentBudget]) -> tuple[Budget, ...]:
    return tuple(
        Budget(
            budget.department,
            budget.spent_epsilon,
            budget.limit_epsilon,
            budget.left_share,
            budget.renews,
            budget.charged_micro_rho,
        )
        for budget in budgets
    )


def _contract(contract: gateway_pb2.DirectoryContract) -> OfferedContract:
    return OfferedContract(
        contract.id,
        contract.description,
        contract.method,
        contract.unit,
        tuple(
            OfferedColumn(
                column.name, column.type, column.level, column.description, column.grouping
            )
            for column in contract.columns
        ),
        tuple(contract.purposes),
        contract.title,
        contract.version,
        contract.consultable,
        contract.queryable,
        contract.team,
        tuple(OfferedRole(each.role, each.who, each.description) for each in contract.roles),
        tuple(OfferedChannel(each.name, each.url, each.description) for each in contract.channels),
        contract.submittable,
        contract.collects,
        contract.watchable,
        contract.as_of,
    )


def read_receipt(receipt: evidence_pb2.Receipt) -> Receipt:
    """The proof that came along."""
    return Receipt(receipt.entry, receipt.proof, receipt.answer_salt)


def _rejected(what: str) -> LandbridgeError:
    return error("ANSWER_REJECTED", f"The gateway sent an answer that {what}.")
