"""A receipt as a file: what `--receipt` writes and `landbridge log verify` reads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from landbridge.cli.ending import OperatorError, sentence
from landbridge.cli.formats import receipt_document
from landbridge.errors import LandbridgeError, error

if TYPE_CHECKING:
    from landbridge.receipt import Receipt

ReceiptFile = Annotated[
    Path | None,
    typer.Option(
        "--receipt",
        metavar="FILE",
        help="Write the proof that the answer, or the refusal, was logged; for landbridge log "
        "verify.",
    ),
]


def require_place(file: Path | None) -> None:
    """Raises OperatorError where the file cannot be, before anything is asked and charged."""
    if file is not None and (file.is_dir() or not file.absolute().parent.is_dir()):
        raise OperatorError(f"The receipt cannot be written to {file}: there is no such folder.")


def keep(file: Path | None, receipt: Receipt | None) -> None:
    """Writes the receipt; raises ANSWER_REJECTED where none came."""
    if file is None:
        return
    if receipt is None:
        raise error("ANSWER_REJECTED", "The gateway sent no receipt.")
    content = json.dumps(receipt_document(receipt), ensure_ascii=True, indent=2)
    file.write_text(content + "\n", encoding="ascii")


def keep_refused(file: Path | None, refusal: LandbridgeError) -> None:
    """Writes the receipt that a refusal carries, if it carries one."""
    from landbridge.wire import error_receipt

    receipt = error_receipt(refusal)
    if receipt is not None:
        keep(file, receipt)


def read(file: Path) -> Receipt:
    """The receipt in a file; OperatorError where the file holds none."""
    from landbridge.receipt import Receipt

    try:
        document = json.loads(file.read_bytes())
        entry = document["entry"].encode("utf-8", "surrogateescape")
        salt = bytes.fromhex(document.get("salt", ""))
        return Receipt(entry, document["proof"].encode().decode(), salt)
    except OSError as problem:
        raise OperatorError(sentence(problem)) from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise OperatorError(
            f"{file} holds no receipt: it must be JSON with the texts entry and proof."
        ) from None
