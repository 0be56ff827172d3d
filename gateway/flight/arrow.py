"""Between Arrow's values and Flight's messages: tables out, parameters in."""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Iterable, Iterator
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

import pyarrow as pa

from landbridge.answers import Answer
from landbridge.arrow import table as answer_table
from landbridge.errors import error
from landbridge.literals import Value, to_literal
from landbridge.v1 import flight_pb2, question_pb2

ROWS_PER_MESSAGE: Final = 10_000
MAXIMUM_PARAMETERS_BYTES: Final = 1_000_000
_MARK: Final = b"\xff\xff\xff\xff"
_LARGEST: Final = 2**63


def schema_bytes(schema: Any) -> bytes:
    """The schema as an encapsulated IPC message."""
    return bytes(schema.serialize())


def untyped(places: int) -> Any:
    """The schema of parameters, whose types are not known before there are values."""
    return pa.schema([pa.field(str(number), pa.null()) for number in range(1, places + 1)])


def messages(table: Any) -> Iterator[flight_pb2.FlightData]:
    """The table as Flight sends it: its schema, then its rows."""
    yield _message(table.schema.serialize())
    for batch in table.to_batches(max_chunksize=ROWS_PER_MESSAGE):
        yield _message(batch.serialize())


def table_of(answer: Answer, *, half_widths: bool) -> Any:
    """The answer as a table; what is no column of it stands in the schema's metadata.

    Under the key `landbridge.answer`, as JSON: notes, cost, departments, missing, as_of,
    half_widths by released column, and the receipt.
    """
    receipt = answer.receipt
    more = {
        "departments": answer.departments,
        "missing": answer.missing,
        "as_of": dict(answer.as_of),
        "notes": [{"kind": note.kind, "text": note.text} for note in answer.notes],
        "cost": {"epsilon": answer.cost.epsilon, "delta": answer.cost.delta},
        "half_widths": dict(answer.accuracy),
        "receipt": receipt
        and {
            "entry": _text(receipt.entry),
            "proof": receipt.proof,
            "answer_salt": _text(receipt.salt),
        },
    }
    shown = answer_table(answer, accuracy=half_widths)
    return shown.replace_schema_metadata({"landbridge.answer": json.dumps(more)})


def parameters(sent: Iterable[flight_pb2.FlightData]) -> list[question_pb2.Literal]:
    """The one row of values that a client put; raises INVALID_ARGUMENT."""
    stream, size = bytearray(), 0
    for data in sent:
        size += len(data.data_header) + len(data.data_body)
        if size > MAXIMUM_PARAMETERS_BYTES:
            raise error("INVALID_ARGUMENT", "The parameters are too large.")
        if data.data_header:
            padded = data.data_header + b"\0" * (-len(data.data_header) % 8)
            stream += _MARK + struct.pack("<i", len(padded)) + padded + data.data_body
    try:
        rows = pa.ipc.open_stream(bytes(stream + _MARK + b"\0\0\0\0")).read_all()
        values = [column[0].as_py() for column in rows.columns] if rows.num_rows == 1 else None
    except (pa.ArrowException, OSError, ValueError, IndexError):
        raise error("INVALID_ARGUMENT", "The parameters are no Arrow record batch.") from None
    if values is None:
        raise error("INVALID_ARGUMENT", "Parameters are one row, with a value for each place (?).")
    return [to_literal(_value(value, number)) for number, value in enumerate(values, 1)]


def _message(serialized: Any) -> flight_pb2.FlightData:
    message = pa.ipc.read_message(serialized)
    body = message.body
    return flight_pb2.FlightData(
        data_header=bytes(message.metadata), data_body=b"" if body is None else bytes(body)
    )


def _value(value: object, number: int) -> Value:
    match value:
        case Decimal() if value.is_finite():
            return int(value) if value == value.to_integral_value() else float(value)
        case bool() | float() | str() | date() | datetime():
            return value
        case int() if -_LARGEST <= value < _LARGEST:
            return value
        case _:
            raise error(
                "INVALID_ARGUMENT",
                f"Parameter {number} is of a type, or of a size, that no column has.",
                hint="Give text, a number of 64 bits, a boolean, a date or a timestamp; for NULL "
                "write IS NULL.",
            )


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode()
