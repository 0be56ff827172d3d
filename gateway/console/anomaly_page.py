"""The page of what stands out: the rules, and what they find in the index."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from gateway.console.anomalies import DAYS, RULES, Hour, Many, Seen, findings
from gateway.console.browse import days_before
from gateway.console.index import Index, Wanted
from gateway.console.page import Looking, Page
from gateway.console.settings import ConsoleSettings
from landbridge.evidence.selection import Selection


class Anomalies:
    """The page."""

    def __init__(self, index: Index, settings: ConsoleSettings) -> None:
        self._index = index
        self._settings = settings

    def __call__(self, looking: Looking) -> Page:
        """What stands out of the last week, the latest first."""
        looking.roles.require(looking.roles.looks)
        self._index.look()
        since = days_before(looking.now, DAYS - 1)
        sees = looking.roles.sees
        by = ("kind", "outcome", "reason", "organisation")
        hours = [
            Hour(hour, kind, outcome, reason, organisation, count, charged)
            for hour, (kind, outcome, reason, organisation), count, charged in self._index.series(
                Wanted(Selection(since=since), sees), by, 13
            )
        ]
        calls = [
            Many(*row)
            for row in self._index.busiest(
                Wanted(Selection(kinds=frozenset({"call"}), since=since), sees), "subject"
            )
        ]
        # Who could not be told who they are belongs to no department.
        logins = self._index.counted_logins(since) if looking.roles.audits else []
        found = findings(
            Seen(hours, calls, logins),
            ZoneInfo(self._settings.timezone),
            self._settings.open_from,
            self._settings.open_until,
        )
        return Page(
            "anomalies.html",
            {
                "found": found,
                "rules": RULES,
                "days": DAYS,
                "timezone": self._settings.timezone,
                "open_from": self._settings.open_from,
                "open_until": self._settings.open_until,
            },
            "anomalies",
        )
