"""Consultations, as this gateway's log knows them, and the way to each department's own desk.

The gateway keeps no queue and cannot decide: officers do at their department, where their own token
is verified by their own node (decision 0031, 0054). What is shown here is what callers did.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from gateway.console.index import Index, Wanted
from gateway.console.page import Looking, Page
from gateway.console.reading import Reading
from landbridge.evidence.selection import Selection

MOST: Final = 1_000
"""Entries that are looked at: the newest."""


class ConsultationPage:
    """The page. `desks` are the addresses of departments' desks."""

    def __init__(self, index: Index, reading: Reading, desks: Mapping[str, str]) -> None:
        self._index = index
        self._reading = reading
        self._desks = desks

    def __call__(self, looking: Looking) -> Page:
        """Every consultation that the visitor may see, the latest first, and the desks."""
        looking.roles.require(looking.roles.looks)
        self._index.look()
        sees = looking.roles.sees
        wanted = Wanted(Selection(kinds=frozenset({"consult"})), sees)
        matters: dict[str, dict[str, Any]] = {}
        for each in self._reading.entries(self._index.newest(wanted, 0, MOST)):
            case = str(each.fields.get("case", ""))
            if not case:
                continue
            matter = matters.setdefault(case, _matter(case, each.fields, self._desks))
            matter["moves"].append(
                {
                    "index": each.index,
                    "time": str(each.fields.get("time", ""))[:19].replace("T", " "),
                    "note": str(each.fields.get("note", "")) or "used",
                    "outcome": str(each.fields.get("outcome", "")),
                    "reason": str(each.fields.get("reason", "")),
                }
            )
        desks = [(name, self._desks[name]) for name in sorted(self._desks)]
        return Page(
            "consultations.html",
            {
                "matters": list(matters.values()),
                "desks": [each for each in desks if sees is None or each[0] in sees],
            },
            "consultations",
        )


def _matter(case: str, fields: Mapping[str, Any], desks: Mapping[str, str]) -> dict[str, Any]:
    department = case.partition(".")[0]
    return {
        "id": case,
        "department": department,
        "organisation": str(fields.get("organisation", "")),
        "purpose": str(fields.get("purpose", "")),
        "resource": str(fields.get("resource", "")),
        "desk": f"{desks[department]}/{case.rpartition('.')[2]}" if department in desks else "",
        "moves": [],
    }
