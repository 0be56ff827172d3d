"""`landbridge log reconcile`: the gateway's log, of every replica, beside its departments'."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from landbridge.cli.ending import OperatorError, Status
from landbridge.cli.formats import write_json
from landbridge.cli.log_reading import Archive, Keys, verified_all
from landbridge.cli.terminal import page, plain, say

if TYPE_CHECKING:
    from rich.table import Table

    from landbridge.evidence import Verification
    from landbridge.evidence.reconciliation import Reconciliation


def reconcile(
    gateway: Annotated[
        Path, typer.Argument(metavar="GATEWAY", help="The gateway's published log folder.")
    ],
    others: Annotated[
        list[Path],
        typer.Argument(
            metavar="LOG...",
            help="The departments' log folders, and those of the gateway's other replicas.",
        ),
    ],
    in_flight: Annotated[
        float,
        typer.Option(
            "--in-flight",
            min=0,
            metavar="SECONDS",
            help="How long before now one side may lack what the other has.",
        ),
    ] = 60.0,
    key: Keys = None,
    archive: Archive = None,
    json: Annotated[  # noqa: FBT002 - an option of a command line
        bool, typer.Option("--json", help="Everything as one JSON document.")
    ] = False,
) -> None:
    """Report every answer that one log has and the other has not.

    Where a gateway has replicas, give the log of each: GATEWAY is the one without a replica's name.
    The logs are verified first. Exit status 1 says that something was found; entries that may be
    under way are listed and are nothing wrong.
    """
    from landbridge.evidence.reconciliation import reconcile as compare

    now = datetime.now(UTC)
    # The departments' first: whatever the gateway names was durable there before.
    *logs, whole = verified_all([*others, gateway], key or (), archive or ())
    replicas = [log for log in logs if log.origin.startswith(f"{whole.origin}/")]
    parts = [log for log in logs if log not in replicas]
    found = compare(
        {_short(log): log.entries for log in (whole, *replicas)},
        {_department(log, whole): partial(log.entries, 0) for log in parts},
        in_flight=timedelta(seconds=in_flight),
        now=now,
    )
    if json:
        write_json(
            {
                "gateway": whole.origin,
                "replicas": [log.origin for log in replicas],
                "departments": [log.origin for log in parts],
                "matched": found.matched,
                "in_flight": len(found.findings) - len(found.wrong),
                "wrong": len(found.wrong),
                "findings": [dataclasses.asdict(finding) for finding in found.findings],
            }
        )
    else:
        if found.findings:
            page().print(_table(found))
        say(
            f"{found.matched} parts match; {len(found.wrong)} findings, "
            f"{len(found.findings) - len(found.wrong)} entries under way"
        )
    if found.wrong:
        raise typer.Exit(Status.NOT_VERIFIED)


def _short(log: Verification) -> str:
    """The log's name without its federation's: "gateway", "gateway/second"."""
    return log.origin.partition("/")[2] or log.origin


def _department(log: Verification, gateway: Verification) -> str:
    federation, _, name = log.origin.rpartition("/")
    if federation != gateway.origin.rpartition("/")[0] or log.origin == gateway.origin:
        raise OperatorError(
            f"The log {log.origin} is of no department of the federation of {gateway.origin}, and "
            "of none of its replicas. The first folder must hold the gateway's own log."
        )
    return name


def _table(found: Reconciliation) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    shown = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in ("finding", "department", "gateway", "entry", "question", ""):
        shown.add_column(name, overflow="fold")
    for finding in found.findings:
        cells = (
            finding.what.replace("_", " "),
            finding.department,
            "" if finding.gateway is None else f"{finding.gateway_log} {finding.gateway}",
            "" if finding.entry is None else str(finding.entry),
            finding.question_id,
            finding.sentence,
        )
        shown.add_row(*(Text(plain(cell)) for cell in cells))
    return shown
