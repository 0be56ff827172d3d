"""Budgets of contracts and organisations: what was charged, what is left, when it will be gone.

Added up from what this gateway's log says was charged. The truth is each department's own ledger,
which counts other gateways and replicas too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from gateway.catalogue import Catalogue
from gateway.console.browse import days_before
from gateway.console.index import Index
from gateway.console.page import Looking, Page
from policies.accounting import limit, shown
from policies.contract import Allowance, Contract, Method

FORECAST_DAYS: Final = 14
"""How far back the pace is taken from."""
LONGEST_FORECAST: Final = 3_650
ALL: Final = ""
"""Stands for all organisations together."""
Charged = dict[tuple[str, str], dict[str, int]]
"""By department and contract, then by organisation: millionths of rho."""


@dataclass(frozen=True, slots=True)
class Spending:
    """One budget: `spent` and `limit` in millionths of rho, `share` of it that is gone.

    `epsilon` and `of` are the same as (epsilon, delta) shows them. `ends` is the day on which it
    will be used up at the pace of the last two weeks, or empty: not before it is renewed.
    """

    contract: str
    department: str
    organisation: str
    period: str
    spent: int
    limit: int
    epsilon: float
    of: float
    a_day: float
    ends: str

    @property
    def share(self) -> float:
        """Of the budget, what is gone; at most 1 is shown."""
        return min(1.0, self.spent / self.limit) if self.limit else 0.0


class Budgets:
    """The page, and the list behind it."""

    def __init__(self, index: Index, catalogue: Callable[[], Catalogue]) -> None:
        self._index = index
        self._catalogue = catalogue

    def __call__(self, looking: Looking) -> Page:
        """Every budget, the scarcest first."""
        looking.roles.require(looking.roles.looks)
        self._index.look()
        return Page(
            "budgets.html", {"budgets": self.all(looking), "days": FORECAST_DAYS}, "budgets"
        )

    def all(self, looking: Looking) -> list[Spending]:
        """Every budget that the visitor may see, the scarcest first."""
        now = datetime.fromtimestamp(looking.now, UTC)
        lately = days_before(looking.now, FORECAST_DAYS - 1)
        charged: dict[str, Charged] = {}

        def since(day: str) -> Charged:
            if day not in charged:
                charged[day] = charged_to(self._index.spent(day))
            return charged[day]

        found: list[Spending] = []
        for department, contract in _contracts(self._catalogue(), looking.roles.sees):
            begun = _renewed(contract.disclosure.period, now)
            spent = since(begun).get((department, contract.id), {})
            recent = since(max(begun, lately)).get((department, contract.id), {})
            span = _days_of(max(begun, lately), now)
            found += _spendings(department, contract, spent, recent, span, now)
        return sorted(found, key=lambda each: (-each.share, each.contract, each.organisation))


def charged_to(spent: Iterable[tuple[str, str, str, int]]) -> Charged:
    """What each department's contract was charged for each organisation, and for `ALL`.

    `spent` as the index gives it. A join's parts are each charged in full. An entry has one charge
    for all departments that were asked, each of whom was charged alike.
    """
    found: Charged = {}
    for resource, organisation, among, charged in spent:
        departments = [each for each in among.split("|") if each]
        part = round(charged / max(1, len(departments)))
        for contract in {resource, *resource.replace(".", " ").split()}:
            for department in departments:
                of_one = found.setdefault((department, contract), {})
                for who in {organisation, ALL}:
                    of_one[who] = of_one.get(who, 0) + part
    return found


def _spendings(
    department: str,
    contract: Contract,
    spent: Mapping[str, int],
    recent: Mapping[str, int],
    span: float,
    now: datetime,
) -> Iterable[Spending]:
    terms = contract.disclosure
    for organisation in sorted({*spent, ALL}):
        allowance: Allowance = terms.overall if organisation == ALL else terms.recipient
        whole, used = limit(allowance), spent.get(organisation, 0)
        pace = recent.get(organisation, 0) / span
        if not whole:
            continue
        yield Spending(
            contract.id,
            department,
            organisation,
            terms.period,
            used,
            whole,
            shown(used, allowance.converting),
            allowance.epsilon,
            pace,
            forecast(used, whole, pace, terms.period, now),
        )


def forecast(spent: int, whole: int, a_day: float, period: str, now: datetime) -> str:
    """The day on which the budget is used up at that pace; empty where it lasts.

    It lasts where it is renewed before, or where the pace leaves it for ten years.
    """
    if spent >= whole:
        return now.strftime("%Y-%m-%d")
    if a_day <= 0:
        return ""
    left = (whole - spent) / a_day
    if left > LONGEST_FORECAST:
        return ""
    end = now + timedelta(days=left)
    renews = renewal(period, now)
    return "" if renews is not None and end >= renews else end.strftime("%Y-%m-%d")


def renewal(period: str, now: datetime) -> datetime | None:
    """When a budget of that period begins anew; None for never."""
    day = now.replace(hour=0, minute=0, second=0, microsecond=0)
    match period:
        case "day":
            return day + timedelta(days=1)
        case "month":
            return (day.replace(day=1) + timedelta(days=32)).replace(day=1)
        case "year":
            return day.replace(year=day.year + 1, month=1, day=1)
        case _:
            return None


def _renewed(period: str, now: datetime) -> str:
    """The instant at which the period began that lasts now, as entries spell it."""
    day = now.replace(hour=0, minute=0, second=0, microsecond=0)
    begun = {"day": day, "month": day.replace(day=1), "year": day.replace(month=1, day=1)}
    found = begun.get(period)
    return found.strftime("%Y-%m-%dT%H:%M:%S.%fZ") if found else ""


def _days_of(since: str, now: datetime) -> float:
    begun = datetime.fromisoformat(since.replace("Z", "+00:00"))
    return max(1.0, (now - begun).total_seconds() / 86_400)


def _contracts(known: Catalogue, sees: frozenset[str] | None) -> Iterable[tuple[str, Contract]]:
    """Every contract with a budget, by the department that serves it."""
    for department, offer in known.offers.items():
        if sees is None or department in sees:
            for contract in offer.contracts.values():
                if contract.disclosure.method is Method.DP:
                    yield department, contract
