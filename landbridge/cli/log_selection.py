"""The options that choose entries, the same for every command that reads several logs."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from landbridge.cli.ending import OperatorError
from landbridge.cli.log_reading import fields, verified_all

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from landbridge.evidence import SubjectKey, Verification
    from landbridge.evidence.selection import Found, Selection

Logs = Annotated[
    list[Path], typer.Argument(metavar="LOG...", help="Published log folders.", show_default=False)
]
Kind = Annotated[
    list[str] | None, typer.Option("--kind", metavar="WORD", help="query, call, start and so on.")
]
Outcome = Annotated[
    list[str] | None,
    typer.Option("--outcome", metavar="WORD", help="answered, refused or failed."),
]
Organisation = Annotated[
    list[str] | None, typer.Option("--organisation", metavar="NAME", help="The caller's.")
]
Purpose = Annotated[list[str] | None, typer.Option("--purpose", metavar="PURPOSE")]
Resource = Annotated[
    list[str] | None,
    typer.Option("--resource", metavar="NAME", help="A contract, or department.handler."),
]
QuestionId = Annotated[list[str] | None, typer.Option("--question-id", metavar="ID")]
TraceId = Annotated[list[str] | None, typer.Option("--trace-id", metavar="ID")]
Caller = Annotated[
    list[str] | None,
    typer.Option(
        "--caller",
        metavar="NAME",
        help="The person or service that asked: a keyed digest, or a name with --subject-key.",
    ),
]
Subject = Annotated[
    list[str] | None,
    typer.Option(
        "--subject",
        metavar="ID",
        help="The person asked about: a keyed digest, or an identifier with --subject-key.",
    ),
]
SubjectKeys = Annotated[
    list[Path] | None,
    typer.Option(
        "--subject-key",
        metavar="FILE",
        help="A log's subject key, or a folder of them; several may be given.",
    ),
]
Since = Annotated[
    str | None,
    typer.Option("--from", metavar="TIME", help="The first moment, a date or RFC 3339; UTC."),
]
Until = Annotated[
    str | None, typer.Option("--to", metavar="TIME", help="The first moment that is too late.")
]

_DIGEST: Final = re.compile(r"[0-9a-f]{64}")


def chosen(
    folders: Sequence[Path],
    selection: Selection,
    keys: Sequence[str],
    archives: Sequence[Path],
) -> tuple[list[Verification], Iterator[Found]]:
    """The verified logs, and their entries that the selection wants, by time, one after another."""
    from landbridge.evidence.selection import merged

    logs = verified_all(folders, keys, archives)
    wanted = selection.test()
    return logs, (found for found in merged(map(_found, logs)) if wanted(found.fields))


def _found(log: Verification) -> Iterable[Found]:
    from landbridge.evidence.merkle import leaf_hash
    from landbridge.evidence.selection import Found

    for index, content in log.entries():
        yield Found(log.origin, index, leaf_hash(content), fields(content))


def digests(
    names: Sequence[str] | None, keys: Sequence[SubjectKey], use: str | None, option: str
) -> frozenset[str]:
    """The keyed digests under which these names may appear: under every key, or as they are."""
    found: set[str] = set()
    for name in names or ():
        if _DIGEST.fullmatch(name):
            found.add(name)
        elif not keys:
            raise OperatorError(
                f"{option} is a keyed digest of 64 hexadecimal digits; a plain name is found with "
                "the log's --subject-key."
            )
        else:
            found |= {(key.derived(use) if use else key).digest(name) for key in keys}
    return frozenset(found)


def subject_keys(places: Sequence[Path] | None) -> list[SubjectKey]:
    """The keys in these files, and in the files `*.key` of these folders."""
    from landbridge.evidence import SubjectKey

    files: list[Path] = []
    for place in places or ():
        inside = sorted(place.glob("*.key")) if place.is_dir() else [place]
        if not inside:
            raise OperatorError(f"{place} holds no subject key (*.key).")
        files += inside
    for file in files:
        if not file.is_file():
            raise OperatorError(f"There is no subject key {file}.")
    return [SubjectKey.load(file) for file in files]


def moment(text: str | None, option: str) -> str:
    """The time in an entry's own spelling, which sorts as time does."""
    if not text:
        return ""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise OperatorError(f"{option} takes a date or a time as RFC 3339 writes it.") from None
    zoned = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    return zoned.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
