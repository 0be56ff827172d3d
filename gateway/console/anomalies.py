"""Rules about what stands out in the log: readable, few, each with its numbers.

A rule is a finding to look at, never a verdict: each says what it counts and from where on, and
leads to the entries. Rules see counts by hour, keyed digests and names of offices; no answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import median
from typing import Final
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

DAYS: Final = 7
"""How far back the rules look."""


@dataclass(frozen=True, slots=True)
class Hour:
    """What happened in one hour: how often, and what it charged in millionths of rho."""

    hour: str
    kind: str
    outcome: str
    reason: str
    organisation: str
    count: int
    charged: int


@dataclass(frozen=True, slots=True)
class Many:
    """One caller's calls of a handler in one hour, and of how many different persons they were."""

    hour: str
    caller: str
    organisation: str
    resource: str
    calls: int
    subjects: int


@dataclass(frozen=True, slots=True)
class Seen:
    """What the rules look at."""

    hours: Sequence[Hour]
    calls: Sequence[Many]
    logins: Sequence[tuple[str, str, int]]
    """Hour, reason and number of refused logins."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that stands out: by which rule, in which hour, of whom, how much; and where."""

    rule: str
    hour: str
    who: str
    amount: int
    usual: int
    query: str


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule's name and what it says, in one sentence with its numbers filled in."""

    name: str
    sentence: str
    numbers: Mapping[str, int]


NEAR_DIFFERENCING: Final = 3
SCRAPED: Final = 50
BURST_TIMES: Final = 5
BURST_LEAST: Final = 100_000
"""In millionths of rho: below a tenth of rho nothing is a burst."""
STORM: Final = 30
AT_NIGHT: Final = 20
_DIFFERENCING: Final = frozenset({"DIFFERENCING"})

RULES: Final = (
    Rule(
        "differencing",
        "An organisation is refused %(n)s times or more within an hour because its questions "
        "differ by too few people.",
        {"n": NEAR_DIFFERENCING},
    ),
    Rule(
        "scraping",
        "One caller asks a handler about %(n)s different persons or more within an hour.",
        {"n": SCRAPED},
    ),
    Rule(
        "burst",
        "An organisation spends within an hour %(n)s times what it spends in its median hour.",
        {"n": BURST_TIMES},
    ),
    Rule("storm", "%(n)s logins or more are refused within an hour.", {"n": STORM}),
    Rule(
        "night",
        "An organisation asks %(n)s times or more in an hour outside the working day.",
        {"n": AT_NIGHT},
    ),
)


def findings(seen: Seen, zone: ZoneInfo, open_from: int, open_until: int) -> tuple[Finding, ...]:
    """What stands out, the latest first."""
    found = (
        *_differencing(seen.hours),
        *_scraping(seen.calls),
        *_bursts(seen.hours),
        *_storms(seen.logins),
        *_nights(seen.hours, zone, open_from, open_until),
    )
    return tuple(sorted(found, key=lambda each: (each.hour, each.rule, each.who), reverse=True))


def _differencing(hours: Iterable[Hour]) -> Iterator[Finding]:
    refused = _added(
        (each.hour, each.organisation, each.count) for each in hours if each.reason in _DIFFERENCING
    )
    for (hour, who), count in refused.items():
        if count >= NEAR_DIFFERENCING:
            query = _query(hour, organisation=who, outcome="refused")
            yield Finding("differencing", hour, who, count, 0, query)


def _scraping(calls: Iterable[Many]) -> Iterator[Finding]:
    for each in calls:
        if each.subjects >= SCRAPED:
            query = _query(each.hour, caller=each.caller, resource=each.resource)
            who = f"{each.organisation} {each.resource}"
            yield Finding("scraping", each.hour, who, each.subjects, 0, query)


def _bursts(hours: Iterable[Hour]) -> Iterator[Finding]:
    spent = _added((each.hour, each.organisation, each.charged) for each in hours if each.charged)
    offices: dict[str, list[int]] = {}
    for (_, who), amount in spent.items():
        offices.setdefault(who, []).append(amount)
    for (hour, who), amount in spent.items():
        usual = int(median(offices[who]))
        # An office that spent in one hour only has no usual one to be held against.
        if amount >= BURST_LEAST and len(offices[who]) > 1 and amount >= BURST_TIMES * usual:
            yield Finding("burst", hour, who, amount, usual, _query(hour, organisation=who))


def _storms(logins: Iterable[tuple[str, str, int]]) -> Iterator[Finding]:
    refused = _added((hour, "", count) for hour, _, count in logins)
    for (hour, _), count in refused.items():
        if count >= STORM:
            yield Finding("storm", hour, "", count, 0, _query(hour, kind="refused_login"))


def _nights(
    hours: Iterable[Hour], zone: ZoneInfo, open_from: int, open_until: int
) -> Iterator[Finding]:
    asked = _added(
        (each.hour, each.organisation, each.count)
        for each in hours
        if each.organisation and each.kind in ("query", "call", "explain")
    )
    for (hour, who), count in asked.items():
        if count >= AT_NIGHT and not _working(hour, zone, open_from, open_until):
            yield Finding("night", hour, who, count, 0, _query(hour, organisation=who))


def _working(hour: str, zone: ZoneInfo, open_from: int, open_until: int) -> bool:
    """Whether the hour is one of a working day, Monday to Friday, there."""
    there = datetime.fromisoformat(f"{hour}:00:00+00:00").astimezone(zone)
    return there.weekday() < 5 and open_from <= there.hour < open_until


def _added(parts: Iterable[tuple[str, str, int]]) -> dict[tuple[str, str], int]:
    added: dict[tuple[str, str], int] = {}
    for hour, who, count in parts:
        added[hour, who] = added.get((hour, who), 0) + count
    return added


def _query(hour: str, **parts: str) -> str:
    """The log page's address for the entries of that hour."""
    last = f"{hour[:11]}{int(hour[11:13]) + 1:02d}" if hour[11:13] != "23" else ""
    times = {"from": f"{hour}:00:00Z", **({"to": f"{last}:00:00Z"} if last else {})}
    return urlencode({**{name: each for name, each in parts.items() if each}, **times})
