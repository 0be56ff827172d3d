"""`landbridge log search` and `export`: entries of several logs as one, chosen and handed on."""

from __future__ import annotations

import json
import sys
from enum import StrEnum
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, TextIO

import typer

from landbridge.cli.ending import OperatorError
from landbridge.cli.log_reading import Archive, Keys
from landbridge.cli.log_selection import (
    Caller,
    Kind,
    Logs,
    Organisation,
    Outcome,
    Purpose,
    QuestionId,
    Resource,
    Since,
    Subject,
    SubjectKeys,
    TraceId,
    Until,
    chosen,
    digests,
    moment,
    subject_keys,
)
from landbridge.cli.terminal import page, plain, tell

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from rich.table import Table

    from landbridge.evidence.selection import Found, Selection

SHOWN: Final = 1_000
"""Lines of a table, which is held in memory; the other formats stream."""


class Listing(StrEnum):
    """How entries that were found are shown."""

    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"


class Export(StrEnum):
    """The formats for other programs."""

    JSONL = "jsonl"
    PARQUET = "parquet"
    OCSF = "ocsf"
    CLOUDEVENTS = "cloudevents"


def search(
    logs: Logs,
    kind: Kind = None,
    outcome: Outcome = None,
    organisation: Organisation = None,
    purpose: Purpose = None,
    resource: Resource = None,
    question_id: QuestionId = None,
    trace_id: TraceId = None,
    caller: Caller = None,
    subject: Subject = None,
    subject_key: SubjectKeys = None,
    since: Since = None,
    until: Until = None,
    format_: Annotated[
        Listing, typer.Option("--format", help="json: one list; jsonl: one entry a line.")
    ] = Listing.TABLE,
    key: Keys = None,
    archive: Archive = None,
) -> None:
    """Find entries in one or several logs, once the logs are verified.

    An option that is given several times takes any of its values; different options must all hold.
    """
    selection = _selection(
        kind, outcome, organisation, purpose, resource, question_id, trace_id, caller, subject,
        subject_key, since, until,
    )  # fmt: skip
    _, found = chosen(logs, selection, key or (), archive or ())
    match format_:
        case Listing.TABLE:
            first = list(islice(found, SHOWN + 1))
            page().print(listing(first[:SHOWN]))
            if len(first) > SHOWN:
                tell(f"There are more than {SHOWN}: narrow the search, or use --format jsonl.")
        case Listing.JSON:
            _write_list(sys.stdout, map(_document, found))
        case Listing.JSONL:
            _write_lines(sys.stdout, map(_document, found))


def export(
    logs: Logs,
    format_: Annotated[
        Export,
        typer.Option("--format", help="ocsf: OCSF 1.8.0, jsonl; cloudevents: a 1.0 JSON batch."),
    ] = Export.JSONL,
    to: Annotated[
        Path | None,
        typer.Option("--to-file", metavar="FILE", help="Where to; standard output otherwise."),
    ] = None,
    kind: Kind = None,
    outcome: Outcome = None,
    organisation: Organisation = None,
    purpose: Purpose = None,
    resource: Resource = None,
    question_id: QuestionId = None,
    trace_id: TraceId = None,
    caller: Caller = None,
    subject: Subject = None,
    subject_key: SubjectKeys = None,
    since: Since = None,
    until: Until = None,
    key: Keys = None,
    archive: Archive = None,
) -> None:
    """Write entries for other programs, once the logs are verified; chosen as search does."""
    selection = _selection(
        kind, outcome, organisation, purpose, resource, question_id, trace_id, caller, subject,
        subject_key, since, until,
    )  # fmt: skip
    _, found = chosen(logs, selection, key or (), archive or ())
    if format_ is Export.PARQUET:
        _write_parquet(found, to)
    elif to is None:
        _write(format_, sys.stdout, found)
    else:
        with to.open("w", encoding="ascii") as file:
            _write(format_, file, found)


def _selection(
    kind: Sequence[str] | None,
    outcome: Sequence[str] | None,
    organisation: Sequence[str] | None,
    purpose: Sequence[str] | None,
    resource: Sequence[str] | None,
    question_id: Sequence[str] | None,
    trace_id: Sequence[str] | None,
    caller: Sequence[str] | None,
    subject: Sequence[str] | None,
    subject_key: Sequence[Path] | None,
    since: str | None,
    until: str | None,
) -> Selection:
    from landbridge.evidence.kind import KINDS
    from landbridge.evidence.selection import Selection

    for word in kind or ():
        if word not in KINDS:
            raise OperatorError(f"--kind {word} is none of {', '.join(KINDS)}.")
    keys = subject_keys(subject_key)
    return Selection(
        kinds=frozenset(kind or ()),
        outcomes=frozenset(outcome or ()),
        organisations=frozenset(organisation or ()),
        purposes=frozenset(purpose or ()),
        resources=frozenset(resource or ()),
        question_ids=frozenset(question_id or ()),
        trace_ids=frozenset(trace_id or ()),
        callers=digests(caller, keys, "caller", "--caller"),
        subjects=digests(subject, keys, None, "--subject"),
        since=moment(since, "--from"),
        until=moment(until, "--to"),
    )


def _document(found: Found) -> dict[str, Any]:
    return {
        "log": found.log,
        "index": found.index,
        "leaf_hash": found.leaf_hash.hex(),
        **found.fields,
    }


def _write(format_: Export, file: TextIO, found: Iterable[Found]) -> None:
    from landbridge.evidence import cloudevent

    match format_:
        case Export.OCSF:
            _write_lines(file, _readable(found))
        case Export.CLOUDEVENTS:
            _write_list(file, map(cloudevent.event, found))
        case _:
            _write_lines(file, map(_document, found))


def _readable(found: Iterable[Found]) -> Iterable[dict[str, Any]]:
    """The OCSF events; what is no entry has no time, and none."""
    from landbridge.evidence import ocsf

    for each in found:
        if "unreadable" in each.fields:
            tell(f"{each.log}, entry {each.index} is left out: {each.fields['unreadable']}.")
        else:
            yield ocsf.event(each)


def _write_parquet(found: Iterable[Found], to: Path | None) -> None:
    if to is None:
        raise OperatorError("Parquet is binary and is read from its end: give --to-file.")
    try:
        from landbridge import parquet
    except ImportError as missing:
        raise OperatorError(str(missing)) from None
    count = parquet.write(found, to)
    tell(f"{count} entries written to {to}")


_json: Callable[[object], str] = json.JSONEncoder(
    ensure_ascii=True, allow_nan=False, separators=(",", ":")
).encode


def _write_lines(file: TextIO, documents: Iterable[dict[str, Any]]) -> None:
    for document in documents:
        file.write(_json(document) + "\n")


def _write_list(file: TextIO, documents: Iterable[dict[str, Any]]) -> None:
    """One JSON array, an element a line, so that nothing is held back."""
    opened = False
    for document in documents:
        file.write((",\n" if opened else "[\n") + _json(document))
        opened = True
    file.write("\n]\n" if opened else "[]\n")


def listing(found: Iterable[Found]) -> Table:
    """A line per entry of several logs, each with the name of its log."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    shown = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in ("log", "entry", "time (UTC)", "event", "organisation", "purpose", "question"):
        shown.add_column(name, overflow="fold", no_wrap=name in ("entry", "time (UTC)"))
    for each in found:
        fields = each.fields
        event = [str(fields[name]) for name in ("kind", "outcome", "reason") if fields.get(name)]
        cells = (
            each.log.partition("/")[2] or each.log,
            str(each.index),
            str(fields.get("time", ""))[:19].replace("T", " "),
            " ".join(event) or str(fields.get("unreadable", "")),
            str(fields.get("organisation", "")),
            str(fields.get("purpose", "")),
            str(fields.get("question") or fields.get("resource", "")),
        )
        shown.add_row(*(Text(plain(cell)) for cell in cells))
    return shown
