"""`landbridge log`: reading and checking published logs and receipts, asking nobody."""

from __future__ import annotations

from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from landbridge.cli import checkpoint_file, receipt_file
from landbridge.cli.ending import OperatorError, Status
from landbridge.cli.formats import Page, write_json
from landbridge.cli.log_reading import Archive, Keys, fields, read_key, verified
from landbridge.cli.terminal import page, plain, say, tell

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.table import Table

    from landbridge.evidence import Verification
    from landbridge.evidence.cosignature import Cosigned

Key = Annotated[
    str | None,
    typer.Option(
        "--key",
        metavar="VKEY_OR_FILE",
        help="The log's verifier key, or a file that holds it; from somebody other than the log's "
        "keeper.",
    ),
]

Witness = Annotated[
    list[str] | None,
    typer.Option(
        "--witness",
        metavar="VKEY_OR_FILE",
        help="The key of a witness that must have cosigned; repeat it for more.",
    ),
]


def show(
    folders: Annotated[
        list[Path],
        typer.Argument(metavar="DIR...", help="Published log folders.", show_default=False),
    ],
    last: Annotated[
        int | None,
        typer.Option("--last", min=1, metavar="N", help="Only the last N entries."),
    ] = None,
    format_: Annotated[
        Page, typer.Option("--format", help="json: one entry a line, with its index.")
    ] = Page.TABLE,
    key: Keys = None,
    archive: Archive = None,
) -> None:
    """Show the entries of a log, once the whole log is verified.

    Several logs, such as those of a gateway's replicas, are shown as one, by time; each entry says
    which log it is in.
    """
    if len(folders) > 1:
        _show_all(folders, last, format_, key or (), archive or ())
        return
    if len(key or ()) > 1:
        raise OperatorError("One log has one key.")
    log = verified(folders[0], read_key(key[0] if key else None), archives=archive or ())
    entries = deque(((index, fields(entry)) for index, entry in log.entries()), maxlen=last)
    if format_ is Page.JSON:
        for index, found in entries:
            write_json({"index": index, **found}, indent=None)
    else:
        page().print(table(entries))
    _tell_whose(log)


def _show_all(
    folders: Sequence[Path],
    last: int | None,
    format_: Page,
    keys: Sequence[str],
    archives: Sequence[Path],
) -> None:
    from landbridge.cli.log_search import listing
    from landbridge.cli.log_selection import chosen
    from landbridge.evidence.selection import Selection

    _, found = chosen(folders, Selection(), keys, archives)
    entries = deque(found, maxlen=last)
    if format_ is Page.JSON:
        for each in entries:
            write_json({"log": each.log, "index": each.index, **each.fields}, indent=None)
    else:
        page().print(listing(entries))


def verify(
    evidence: Annotated[
        Path,
        typer.Argument(
            metavar="DIR_OR_RECEIPT",
            help="A published log folder, or a receipt that --receipt wrote.",
            show_default=False,
        ),
    ],
    key: Key = None,
    state: Annotated[
        Path | None,
        typer.Option(
            "--state",
            metavar="FILE",
            help="Where the last verified checkpoint of this log is kept: the log must extend it, "
            "only what is new is read, and the file moves on.",
        ),
    ] = None,
    archive: Archive = None,
    witness: Witness = None,
) -> None:
    """Verify a whole log, or one receipt.

    Exit status 1 says that it does not hold, or that a named witness did not cosign; the first bad
    file and entry are named.
    """
    vkey = read_key(key)
    witnesses = [found for found in map(read_key, witness or ()) if found is not None]
    if evidence.is_dir():
        since = state if state is not None and state.exists() else None
        log = verified(evidence, vkey, since=since, archives=archive or (), witnesses=witnesses)
        new = f", {log.size - log.since} of them new" if since else ""
        say(f"verified: {log.origin}, {log.size} entries{new}, root {log.root.hex()}")
        _tell_whose(log)
        _hold_cosigned(log.witnesses, witnesses)
        if state is not None:  # last: the memory moves on over what holds in every respect
            checkpoint_file.keep(state, log.checkpoint)
        return
    if state is not None or archive:
        raise OperatorError("--state and --archive belong to a log, not to a receipt.")
    receipt = receipt_file.read(evidence)
    if vkey is None:
        raise OperatorError(
            "A receipt is verified with its log's key: give --key, for example the file vkey of "
            "the log folder."
        )
    found = receipt.verify(vkey, witnesses)
    say(f"verified: entry {found.index} of {found.size} in {found.origin}")
    _hold_cosigned(found.witnesses, witnesses)


def table(entries: Iterable[tuple[int, dict[str, Any]]], *, brief: bool = False) -> Table:
    """Who asked what, why, and how it ended: a line per entry; `brief` leaves day and why out."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    shown = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in ("entry", "time (UTC)", "event", "organisation", "purpose", "question"):
        if not (brief and name == "purpose"):
            shown.add_column(name, overflow="fold", no_wrap=name in ("entry", "time (UTC)"))
    for index, found in entries:
        event = [str(found[name]) for name in ("kind", "outcome", "reason") if found.get(name)]
        moment = str(found.get("time", ""))[:19].replace("T", " ")
        cells = (
            str(index),
            moment[11:] if brief else moment,
            " ".join(event) or str(found.get("unreadable", "")),
            str(found.get("organisation", "")),
            *(() if brief else (str(found.get("purpose", "")),)),
            str(found.get("question") or found.get("resource", "")),
        )
        shown.add_row(*(Text(plain(cell)) for cell in cells))
    return shown


def _hold_cosigned(cosigned: Iterable[Cosigned], asked: Iterable[str]) -> None:
    """Says who cosigned; ends with status 1 unless all who were asked for did."""
    from datetime import UTC, datetime

    found = list(cosigned)
    wanted = len(set(asked))  # a key given twice is one witness
    for each in found:
        try:
            moment = datetime.fromtimestamp(each.time, UTC).isoformat(sep=" ")
        except (ValueError, OverflowError, OSError):
            moment = f"second {each.time}"
        say(f"cosigned: {plain(each.witness)}, {moment}")
    missing = wanted - len({each.witness for each in found})
    if missing > 0:
        say(f"not cosigned by {missing} of {wanted} witnesses")
        raise typer.Exit(Status.NOT_VERIFIED)


def _tell_whose(log: Verification) -> None:
    if log.own_key:
        tell(
            "The key was the folder's own: the log agrees with itself. To know whose it is, give "
            "--key."
        )
