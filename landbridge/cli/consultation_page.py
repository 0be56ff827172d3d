"""A consultation on a terminal. Everything from elsewhere is shown on its own line, and plain."""

from __future__ import annotations

import dataclasses
from datetime import datetime
from typing import TYPE_CHECKING, Any

from landbridge.cli.terminal import say

if TYPE_CHECKING:
    from landbridge.consultation.view import ConsultationEvent, View


def show(view: View) -> None:
    """All of it, for its caller or for an officer."""
    for name, value in _fields(view):
        say(f"{name + ':':<11} {value}")
    if view.offering is not None:
        for name, value in _offered(view):
            say(f"{name + ':':<11} {value}")
    for event in view.events:
        tell(event)


def tell(event: ConsultationEvent) -> None:
    """One event on one line."""
    said = f"{event.kind} by {event.by}" + (f": {event.text}" if event.text else "")
    say(f"{event.number:>6}  {_time(event.at)}  {event.consultation}  {said}")


def line(view: View) -> None:
    """One consultation of a list: on one line, the question on the next."""
    who = f"{view.caller} of {view.organisation}" if view.caller else view.purpose
    due = f", by {_time(view.due)}" if view.due else ""
    say(f"{view.id}  {view.state}, turn {view.turn}{due}; {who}")
    say(f"    {view.question}")


def document(view: View) -> dict[str, Any]:
    """As JSON; the grant in hexadecimal."""
    return _plain(dataclasses.asdict(view))


def event_document(event: ConsultationEvent) -> dict[str, Any]:
    """As JSON."""
    return _plain(dataclasses.asdict(event))


def _fields(view: View) -> list[tuple[str, str]]:
    found = [
        ("id", view.id),
        ("state", f"{view.state}, turn {view.turn}"),
        ("about", view.resource),
        ("question", view.question),
    ]
    if view.caller:
        found.append(("asked by", f"{view.caller} of {view.organisation}"))
    found += [
        ("purpose", view.purpose),
        ("basis", view.basis),
        ("it takes", ", ".join(view.lifts) or "nothing that policy does not permit"),
        ("decides", view.role + (f", by {_time(view.due)}" if view.due else "")),
    ]
    if view.approvals_needed > 1:
        approvals = ", ".join(view.approvals) or "none yet"
        found.append(("approvals", f"{approvals}; {view.approvals_needed} are needed"))
    if view.sql:
        found.append(("as SQL", view.sql))
    return found


def _offered(view: View) -> list[tuple[str, str]]:
    offered = view.offering
    assert offered is not None
    if offered.method == "code":
        return [("released", ", ".join(offered.keys))]
    cells = f"{offered.cells} cells" if offered.cells else "cells that are found in the data"
    found = [
        ("released", f"{cells} by {', '.join(offered.keys) or 'nothing'}, method {offered.method}")
    ]
    for words, half_width in offered.accuracy.items():
        spelt = "exact, or not known before" if half_width is None else f"± {half_width:.4g}"
        found.append(("", f"{words}  {spelt}"))
    if offered.cost:
        found.append(
            (
                "cost",
                f"epsilon {offered.epsilon:g}: {offered.cost:,} of {offered.limit:,} micro-rho of "
                f"the recipient's budget, of which {offered.spent:,} are spent",
            )
        )
    return found


def _plain(fields: dict[str, Any]) -> dict[str, Any]:
    """Times as text and bytes as hexadecimal, at every depth."""

    def one(value: Any) -> Any:
        match value:
            case datetime():
                return value.isoformat()
            case bytes():
                return value.hex()
            case dict():
                return {key: one(part) for key, part in value.items()}
            case list() | tuple():
                return [one(part) for part in value]
            case _:
                return value

    return {key: one(value) for key, value in fields.items()}


def _time(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%SZ")
