"""Single values on the wire: `landbridge.v1.Literal` to Python and back."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from landbridge.errors import error
from landbridge.v1.question_pb2 import Literal

Value = int | float | str | bool | date | datetime

_EPOCH_DAY = date(1970, 1, 1)
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - timestamps are UTC and carry no tzinfo


def to_literal(value: Value) -> Literal:
    """The wire form; a timestamp is UTC, with or without saying so."""
    match value:
        case bool():
            return Literal(boolean=value)
        case int():
            return Literal(integer=value)
        case float():
            return Literal(real=value)
        case str():
            return Literal(text=value)
        case datetime():
            naive = value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value
            return Literal(timestamp=(naive - _EPOCH) // timedelta(microseconds=1))
        case date():
            return Literal(date=(value - _EPOCH_DAY).days)


def from_literal(literal: Literal) -> Value:
    """The Python value; timestamps are UTC without tzinfo. Raises INVALID_ARGUMENT for none."""
    try:
        match literal.WhichOneof("kind"):
            case "integer":
                return literal.integer
            case "real":
                return literal.real
            case "text":
                return literal.text
            case "boolean":
                return literal.boolean
            case "date":
                return _EPOCH_DAY + timedelta(days=literal.date)
            case "timestamp":
                return _EPOCH + timedelta(microseconds=literal.timestamp)
            case _:
                raise error("INVALID_ARGUMENT", "A literal of the typed question has no value.")
    except OverflowError:
        raise error("INVALID_ARGUMENT", "A date is outside the years 1 to 9999.") from None
