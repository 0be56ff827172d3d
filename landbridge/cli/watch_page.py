"""A watch on a terminal. Everything from elsewhere is shown plain."""

from __future__ import annotations

import dataclasses
from datetime import datetime
from typing import TYPE_CHECKING, Any

from landbridge.cli.terminal import say

if TYPE_CHECKING:
    from landbridge.watch import AlertCell, WatchEvent, WatchView


def fields(view: WatchView) -> list[tuple[str, str]]:
    """All of it, as names and words."""
    found = [
        ("id", view.id),
        ("question", view.sql),
        (
            "tells when",
            (view.when or "it is evaluated")
            + (f" (± {view.accuracy:.4g})" if view.accuracy else ""),
        ),
        ("department", f"{view.department}, by {view.method}"),
        ("purpose", view.purpose),
        ("evaluated", f"{view.evaluations} times, {_pace(view)}"),
        ("state", view.state + (f": {view.reason}" if view.reason else "")),
        ("until", _time(view.until)),
        ("alerts", str(view.alerts)),
    ]
    if view.reserved:
        share = view.spent / view.reserved
        found.append(
            ("budget", f"{view.spent} of {view.reserved} micro rho spent ({share:.0%}), "
             f"for {view.alerts_most} {'alerts' if view.when else 'numbers'}")
        )  # fmt: skip
    found.append(("token", view.token))
    return found


def line(view: WatchView) -> None:
    """One watch of a list: on one line, the question on the next."""
    why = f" ({view.reason})" if view.reason else ""
    say(f"{view.id}  {view.state}{why}; {view.evaluations} evaluations, {view.alerts} alerts")
    say(f"    {view.sql}  {f'when {view.when}' if view.when else 'every time'}")


def tell(event: WatchEvent) -> None:
    """One event on one line."""
    said = event.reason or "; ".join(map(_cell, event.cells))
    say(f"{event.number:>5}  {_time(event.at)}  {event.kind}  {said}")


def document(view: WatchView) -> dict[str, Any]:
    """As JSON."""
    return _plain(dataclasses.asdict(view))


def event_document(event: WatchEvent) -> dict[str, Any]:
    """As JSON, with the proof of its log entry."""
    found = dataclasses.asdict(event)
    receipt = event.receipt
    found["receipt"] = {
        "entry": receipt.entry.decode("utf-8", "replace"),
        "proof": receipt.proof,
        "salt": receipt.salt.hex(),
    }
    return _plain(found)


def _cell(cell: AlertCell) -> str:
    keys = ", ".join(f"{name} = {value}" for name, value in cell.keys.items()) or "in all"
    return keys if cell.number is None else f"{keys}: {cell.number:g}"


def _pace(view: WatchView) -> str:
    return f"every {view.every} s" if view.every else "on new data"


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}Z"


def _plain(found: dict[str, Any]) -> dict[str, Any]:
    return {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name, value in found.items()
    }
