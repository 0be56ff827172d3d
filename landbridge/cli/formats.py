"""An answer for programs: CSV, JSON and Arrow, on standard output."""

from __future__ import annotations

import dataclasses
import json
import sys
from datetime import date, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

import typer

from landbridge.cli.ending import OperatorError
from landbridge.cli.terminal import plain

if TYPE_CHECKING:
    from landbridge.answers import Answer, Budget, Cost, Note, Value
    from landbridge.receipt import Receipt


ARROW_END: Final = b"\xff\xff\xff\xff\x00\x00\x00\x00"


class Format(StrEnum):
    """The formats of an answer."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"
    ARROW = "arrow"


class Listing(StrEnum):
    """The formats of the directory."""

    TABLE = "table"
    JSON = "json"
    DCAT = "dcat"


class Page(StrEnum):
    """The formats of everything else."""

    TABLE = "table"
    JSON = "json"


def write_json(document: object, *, indent: int | None = 2) -> None:
    """JSON in ASCII, so that no terminal and no locale can misread it."""
    typer.echo(json.dumps(document, ensure_ascii=True, allow_nan=False, indent=indent))


def write_csv(answer: Answer) -> None:
    """RFC 4180 in UTF-8 with a header line, `<name>_half_width` beside each released column.

    NULL is an empty field, an empty text is `""`. On a terminal control characters are escaped;
    a file gets every value as it is.
    """
    lines = [_line(answer)]
    for row in answer.cells:
        line: list[str] = []
        for column, cell in zip(answer.columns, row, strict=True):
            line.append(_text(cell.value))
            if column.released:
                line.append(_text(cell.half_width))
        lines.append(",".join(line))
    text = "".join(line + "\n" for line in lines)
    if sys.stdout.isatty():
        text = "".join(plain(line) + "\n" for line in text.splitlines())
    _write(text.encode())


def require_arrow_target() -> None:
    """Raises OperatorError where Arrow cannot be written, before anything is asked and charged."""
    if sys.stdout.isatty():
        raise OperatorError(
            "Arrow is binary: send it to a file or a program, for example > a.arrow."
        )
    try:
        from landbridge import arrow  # noqa: F401 - without it the answer would come in vain
    except ImportError as missing:
        raise OperatorError(str(missing)) from None


def write_arrow(answer: Answer) -> None:
    """An Arrow IPC stream, `<name>_half_width` beside each released column."""
    table = answer.to_arrow(accuracy=True)
    # The stream is the schema's message, those of the batches, and the mark of its end (Arrow
    # columnar format, IPC streaming format); nothing here is dictionary-encoded.
    messages = [table.schema.serialize(), *(batch.serialize() for batch in table.to_batches())]
    _write(b"".join([*(message.to_pybytes() for message in messages), ARROW_END]))


def answer_document(answer: Answer) -> dict[str, Any]:
    """The answer as a JSON document; `accuracy` is the 95 % half-widths per released column."""
    return {
        "columns": [
            {"name": column.name, "type": column.type.value, "released": column.released}
            for column in answer.columns
        ],
        "rows": [[_json(cell.value) for cell in row] for row in answer.cells],
        "accuracy": dict(answer.accuracy),
        "notes": [dataclasses.asdict(note) for note in answer.notes],
        "missing": list(answer.missing),
        "departments": list(answer.departments),
        "as_of": dict(answer.as_of),
        "cost": cost_document(answer.cost),
        "receipt": receipt_document(answer.receipt),
    }


def cost_document(cost: Cost) -> dict[str, Any]:
    """What was charged, and each department's budget."""
    return dataclasses.asdict(cost)


def receipt_document(receipt: Receipt | None) -> dict[str, str] | None:
    """The receipt as JSON: its entry is canonical JSON, and so UTF-8, kept to the byte.

    `salt` is in hexadecimal; a receipt without one has no such key.
    """
    if receipt is None:
        return None
    kept = {"entry": receipt.entry.decode("utf-8", "surrogateescape"), "proof": receipt.proof}
    return {**kept, "salt": receipt.salt.hex()} if receipt.salt else kept


def notes_document(notes: tuple[Note, ...], budgets: tuple[Budget, ...]) -> dict[str, Any]:
    """What a plan says beside its numbers."""
    return {
        "budgets": [dataclasses.asdict(budget) for budget in budgets],
        "notes": [dataclasses.asdict(note) for note in notes],
    }


def _line(answer: Answer) -> str:
    """The header."""
    names: list[str] = []
    for column in answer.columns:
        names.append(column.name)
        if column.released:
            names.append(f"{column.name}_half_width")
    return ",".join(_quoted(name) for name in names)


def _write(content: bytes) -> None:
    sys.stdout.flush()
    sys.stdout.buffer.write(content)
    sys.stdout.buffer.flush()


def _text(value: Value | None) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case str():
            return _quoted(value)
        case date():  # datetime too
            return value.isoformat()
        case _:
            return repr(value)


def _quoted(text: str) -> str:
    if text and not any(mark in text for mark in ',"\r\n') and text == text.strip():
        return text
    return '"' + text.replace('"', '""') + '"'


def _json(value: Value | None) -> bool | int | float | str | None:
    return value.isoformat() if isinstance(value, date | datetime) else value
