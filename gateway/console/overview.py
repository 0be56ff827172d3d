"""The first page: members and their health, questions and refusals, latency, budgets, witnesses."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

from gateway.catalogue import Catalogue
from gateway.console.browse import days_before
from gateway.console.budgets import Budgets
from gateway.console.charts import days, hours, stacked
from gateway.console.index import Index, Wanted
from gateway.console.latencies import Latencies
from gateway.console.oversight_page import overseen
from gateway.console.page import Looking, Page
from gateway.console.reading import Reading
from landbridge.evidence.cosignature import WitnessKey
from landbridge.evidence.selection import Selection

ASKING: Final = frozenset({"query", "call", "explain", "consult", "step", "submit", "about"})
OUTCOMES: Final = ("answered", "refused", "failed")
LOW: Final = 0.8
"""From this share of a budget on it runs low."""


class Overview:
    """The page. `health` gives the departments that did not describe themselves lately."""

    def __init__(
        self,
        index: Index,
        reading: Reading,
        catalogue: Callable[[], Catalogue],
        silent: Callable[[], Collection[str]],
        witnesses: Callable[[], Collection[WitnessKey]],
        latencies: Latencies,
        budgets: Budgets,
    ) -> None:
        self._index = index
        self._reading = reading
        self._catalogue = catalogue
        self._silent = silent
        self._witnesses = witnesses
        self._latencies = latencies
        self._budgets = budgets

    def __call__(self, looking: Looking) -> Page:
        """What there is to see, for those who may see anything; a greeting for the others."""
        roles = looking.roles
        if not roles.looks:
            return Page("greeting.html", {}, "overview, nothing to see")
        self._index.look()
        now = datetime.fromtimestamp(looking.now, UTC)
        asked = Selection(kinds=ASKING, since=days_before(looking.now, 13))
        by_day = self._counts(Wanted(asked, roles.sees), 10)
        # A fourteenth of the counts: two weeks by the hour would be added up for one day of them.
        lately = replace(asked, since=f"{hours(now, 24)[0]}:00:00.000000Z")
        by_hour = self._counts(Wanted(lately, roles.sees), 13)
        return Page(
            "overview.html",
            {
                "members": self._members(roles.sees),
                "log": overseen(self._reading.published().checkpoint, self._witnesses()),
                "moment": lambda seconds: (
                    f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S}"
                ),
                "charts": [
                    ("Questions by day, the last two weeks", days(now, 14), by_day),
                    ("Questions by hour, the last day", hours(now, 24), by_hour),
                ],
                "stacked": stacked,
                "outcomes": OUTCOMES,
                "latencies": self._latencies.summary() if roles.audits else [],
                "low": [each for each in self._budgets.all(looking) if each.share >= LOW],
                "indexed": self._index.size,
            },
            "overview",
        )

    def _members(self, sees: frozenset[str] | None) -> list[dict[str, Any]]:
        known, silent = self._catalogue(), set(self._silent())
        return [
            {
                "name": name,
                "title": known.offers[name].title if name in known.offers else name,
                "silent": name in silent,
                "contracts": sorted(known.offers[name].contracts) if name in known.offers else [],
                "handlers": sorted(known.offers[name].handlers) if name in known.offers else [],
            }
            for name in known.members
            if sees is None or name in sees
        ]

    def _counts(self, wanted: Wanted, digits: int) -> Mapping[str, Mapping[str, int]]:
        found: dict[str, dict[str, int]] = {}
        for span, (outcome,), count, _ in self._index.series(wanted, ("outcome",), digits):
            if outcome in OUTCOMES:
                found.setdefault(span, {})[outcome] = count
        return found
