"""`landbridge submit`: the records of a file, each once."""

from __future__ import annotations

import csv
import hashlib
import json
import time
from collections import Counter
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from landbridge.cli.connection import Address, Authority, Purpose, TokenFile, connected
from landbridge.cli.ending import OperatorError, Status
from landbridge.cli.formats import Page, write_json
from landbridge.cli.progress import progress
from landbridge.cli.terminal import say, tell

if TYPE_CHECKING:
    from landbridge.submission.receipt import SubmissionReceipt

_SHOWN: Final = 5
"""Records named for each reason."""
_PACE: Final = 1.0
"""Seconds between two sentences about how far it is."""


class _Kind(StrEnum):
    """What a file's name says that it is."""

    CSV = ".csv"
    PARQUET = ".parquet"
    LINES = ".jsonl"


def submit(
    contract: Annotated[
        str,
        typer.Argument(
            metavar="CONTRACT", help="contract, or department.contract", show_default=False
        ),
    ],
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="Records: .csv with a header, .parquet or .jsonl.",
            show_default=False,
        ),
    ],
    *,
    purpose: Purpose,
    corrects: Annotated[
        bool,
        typer.Option(
            "--corrects", help="The records take the place of those of the same subjects."
        ),
    ] = False,
    queue: Annotated[
        Path | None,
        typer.Option(
            "--queue",
            metavar="FILE",
            help="Keep the records there until they are taken; what waits there goes too.",
            show_default=False,
        ),
    ] = None,
    batch: Annotated[
        int, typer.Option("--batch", min=1, max=1000, metavar="N", help="Records sealed together.")
    ] = 500,
    format_: Annotated[
        Page, typer.Option("--format", help="How the result is written to standard output.")
    ] = Page.TABLE,
    address: Address = "",
    ca: Authority = None,
    token_file: TokenFile = None,
) -> None:
    """Hand in the records of a file, sealed to the department that owns them.

    A record's id follows from the file and its place in it: the same file again has no effect. What
    was refused is told by place, reason and field, never by value; then the exit status is 3.
    """
    records = records_of(file, corrects=corrects)
    with connected(address, ca, token_file) as client, progress(f"Handing in {file.name}") as told:
        receipt = client.submit(
            contract,
            records,
            purpose=purpose,
            queue=queue,
            texts=is_text(file),
            batch=batch,
            progress=_paced(told),
        )
    show(receipt, format_)
    if receipt.refused_count:
        raise typer.Exit(Status.REFUSED)


def records_of(file: Path, *, corrects: bool) -> Iterator[Any]:
    """The file's records, each with an id that follows from the file and its place in it.

    Raises OperatorError.
    """
    kind = _kind(file)
    prefix = _digest(file, corrects=corrects)

    def named(place: int) -> str:
        return hashlib.sha256(prefix + place.to_bytes(8, "big")).hexdigest()[:32]

    return _contributions(file, kind, named, corrects=corrects)


def is_text(file: Path) -> bool:
    """Whether all values in it are texts."""
    return _kind(file) is _Kind.CSV


def show(receipt: SubmissionReceipt, format_: Page) -> None:
    """What came of them."""
    if format_ is Page.JSON:
        write_json(_document(receipt))
    else:
        _summary(receipt)


def _kind(file: Path) -> _Kind:
    try:
        return _Kind(file.suffix)
    except ValueError:
        raise OperatorError(
            f"{file} is none of {', '.join(_Kind)}, so it is not known how to read it."
        ) from None


def _contributions(file: Path, kind: _Kind, named: Any, *, corrects: bool) -> Iterator[Any]:
    from landbridge.submission.receipt import Contribution

    for place, record in enumerate(_rows(file, kind)):
        yield Contribution(record, id=named(place), corrects=corrects)


def _rows(file: Path, kind: _Kind) -> Iterator[Any]:
    """The records as the file has them; raises OperatorError where it is no such file."""
    try:
        match kind:
            case _Kind.CSV:
                with file.open(encoding="utf-8-sig", newline="") as lines:
                    yield from csv.DictReader(lines, restkey="(more)", strict=True)
            case _Kind.LINES:
                with file.open(encoding="utf-8") as lines:
                    for line in lines:
                        if line.strip():
                            yield _json(line)
            case _Kind.PARQUET:
                from landbridge.submission.parquet import rows

                yield from rows(file)
    except (csv.Error, ValueError):
        raise OperatorError(
            f"{file} cannot be read as {kind}; what came before was sent."
        ) from None


def _json(line: str) -> Any:
    """A record, or None, which is refused as malformed by its place."""
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _digest(file: Path, *, corrects: bool) -> bytes:
    with file.open("rb") as opened:
        found = hashlib.file_digest(opened, "sha256")
    return found.digest() + bytes([corrects])


def _paced(show: Any) -> Any:
    told = time.monotonic()

    def tell_some(finished: int) -> None:
        nonlocal told
        if time.monotonic() - told >= _PACE:
            told = time.monotonic()
            show(f"{finished:,} records have their result")

    return tell_some


def _summary(receipt: SubmissionReceipt) -> None:
    say(f"{receipt.accepted:,} records were taken by {receipt.contract}.")
    if receipt.duplicates:
        say(f"{receipt.duplicates:,} had been taken before.")
    if receipt.waiting:
        say(f"{receipt.waiting:,} wait in the queue; run it again to send them.")
    if not receipt.refused_count:
        return
    say(f"{receipt.refused_count:,} were refused:")
    from landbridge.submission.fate import SENTENCES, Fate

    counts = Counter((each.reason, each.field) for each in receipt.refused)
    for (reason, field), count in counts.most_common():
        places = [
            str(each.index + 1)
            for each in receipt.refused
            if (each.reason, each.field) == (reason, field)
        ]
        more = ", …" if len(places) > _SHOWN else ""
        where = f" ({field})" if field else ""
        say(f"  {count:>7,}  {reason}{where}: record {', '.join(places[:_SHOWN])}{more}")
        tell(f"           {reason}: each {SENTENCES[Fate(reason)]}")


def _document(receipt: SubmissionReceipt) -> dict[str, Any]:
    return {
        "contract": receipt.contract,
        "accepted": receipt.accepted,
        "duplicates": receipt.duplicates,
        "waiting": receipt.waiting,
        "counts": dict(receipt.counts),
        "refused": [
            {"record": each.index + 1, "id": each.id, "reason": each.reason, "field": each.field}
            for each in receipt.refused
        ],
    }
