"""The rules of what stands out: each finds what it says, from its number on, and nothing below."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from gateway.console.anomalies import (
    AT_NIGHT,
    BURST_LEAST,
    BURST_TIMES,
    NEAR_DIFFERENCING,
    RULES,
    SCRAPED,
    STORM,
    Hour,
    Many,
    Seen,
    findings,
)
from gateway.console.budgets import ALL, charged_to, forecast, renewal
from gateway.console.charts import stacked
from gateway.console.policy_pages import differing

NOTHING = Seen((), (), ())
# Friday 2026-11-27, 10 o'clock UTC: inside the working day of UTC, outside that of Los Angeles.
BUSY = "2026-11-27T10"
HOUR = Hour(BUSY, "query", "answered", "", "office", 1, 0)


def rules(seen: Seen, zone: str = "UTC") -> list[tuple[str, str, int]]:
    """What is found: rule, of whom, how much."""
    return [(each.rule, each.who, each.amount) for each in findings(seen, ZoneInfo(zone), 7, 20)]


def test_questions_that_differ_by_few_people_stand_out_when_they_are_several() -> None:
    """One such refusal is an accident."""
    refused = replace(HOUR, outcome="refused", reason="DIFFERENCING", count=NEAR_DIFFERENCING - 1)
    assert rules(replace(NOTHING, hours=[refused])) == []
    again = replace(refused, kind="explain", count=1)
    found = rules(replace(NOTHING, hours=[refused, again]))
    assert found == [("differencing", "office", NEAR_DIFFERENCING)]


def test_a_caller_who_asks_about_many_persons_stands_out() -> None:
    """Many calls about one person are something else."""
    many = Many(BUSY, "ab" * 32, "office", "faa.band", SCRAPED * 2, SCRAPED)
    assert rules(replace(NOTHING, calls=[many])) == [("scraping", "office faa.band", SCRAPED)]
    assert rules(replace(NOTHING, calls=[replace(many, subjects=SCRAPED - 1)])) == []


def test_spending_far_more_than_usual_stands_out() -> None:
    """Held against the office's own median hour; a first hour has nothing to be held against."""
    usual = [replace(HOUR, hour=f"2026-11-2{day}T10", charged=BURST_LEAST) for day in range(3, 7)]
    burst = replace(HOUR, charged=BURST_TIMES * BURST_LEAST)
    assert rules(replace(NOTHING, hours=[*usual, burst])) == [("burst", "office", burst.charged)]
    below = replace(burst, charged=burst.charged - 1)
    assert rules(replace(NOTHING, hours=[*usual, below])) == []
    assert rules(replace(NOTHING, hours=[burst])) == []


def test_many_refused_logins_stand_out_whatever_their_reasons() -> None:
    """Those that share one entry of the log count as many as they were."""
    logins = [(BUSY, "TOKEN_EXPIRED", STORM - 1), (BUSY, "TOKEN_INVALID", 1)]
    assert rules(replace(NOTHING, logins=logins)) == [("storm", "", STORM)]
    assert rules(replace(NOTHING, logins=logins[:1])) == []


@pytest.mark.parametrize(
    ("hour", "zone", "stands_out"),
    [
        (BUSY, "UTC", False),
        (BUSY, "America/Los_Angeles", True),  # two in the morning there
        ("2026-11-28T10", "UTC", True),  # a Saturday
        ("2026-11-27T20", "UTC", True),  # over at eight
        ("2026-11-27T06", "UTC", True),
        ("2026-11-27T23", "Asia/Hong_Kong", True),  # Saturday there
        ("2026-11-27T01", "Asia/Hong_Kong", False),
    ],
)
def test_asking_outside_the_working_day_stands_out(hour: str, zone: str, stands_out: bool) -> None:
    """By the clock of the place that the operator named."""
    asked = replace(HOUR, hour=hour, count=AT_NIGHT)
    assert bool(rules(replace(NOTHING, hours=[asked]), zone)) is stands_out
    assert rules(replace(NOTHING, hours=[replace(asked, count=AT_NIGHT - 1)]), zone) == []


def test_every_finding_leads_to_the_entries_of_its_hour() -> None:
    """Also of the last hour of a day, which ends with the day."""
    asked = [replace(HOUR, hour=f"2026-11-28T{hour}", count=AT_NIGHT) for hour in ("10", "23")]
    late, early = findings(replace(NOTHING, hours=asked), ZoneInfo("UTC"), 7, 20)
    assert "from=2026-11-28T10%3A00%3A00Z" in early.query
    assert "to=2026-11-28T11%3A00%3A00Z" in early.query
    assert "from=2026-11-28T23%3A00%3A00Z" in late.query
    assert "to=" not in late.query


def test_every_rule_says_its_number() -> None:
    """What is on the page is what is computed."""
    assert {each.name for each in RULES} == {"differencing", "scraping", "burst", "storm", "night"}
    for rule in RULES:
        assert str(*rule.numbers.values()) in rule.sentence % rule.numbers


NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("spent", "a_day", "period", "ends"),
    [
        (0, 0.0, "never", ""),
        (50, 10.0, "never", "2026-12-02"),
        (50, 10.0, "month", ""),  # renewed on the first
        (70, 10.0, "month", "2026-11-30"),
        (50, 1_000.0, "day", "2026-11-27"),
        (99, 0.000001, "never", ""),
        (100, 0.0, "year", "2026-11-27"),
        (120, 5.0, "never", "2026-11-27"),
    ],
)
def test_a_budget_is_used_up_at_its_pace_or_renewed_before(
    spent: int, a_day: float, period: str, ends: str
) -> None:
    """The forecast is a straight line, and never beyond what is renewed."""
    assert forecast(spent, 100, a_day, period, NOW) == ends


def test_budgets_are_renewed_at_the_beginning_of_day_month_and_year() -> None:
    """Also at a year's end."""
    december = datetime(2026, 12, 31, 23, tzinfo=UTC)
    assert (
        renewal("month", december) == renewal("year", december) == datetime(2027, 1, 1, tzinfo=UTC)
    )
    assert renewal("never", december) is None


def test_a_charge_is_shared_by_who_was_asked_and_falls_on_every_part_of_a_join() -> None:
    """Two departments were charged alike; a join of two tables was paid by the budgets of both."""
    spent = [
        ("flights", "a", "|ewr|jfk|", 100),
        ("flights", "b", "|ewr|", 7),
        ("people visits", "a", "|north|", 9),
        ("odd", "", "", 5),
    ]
    found = charged_to(spent)
    assert found["ewr", "flights"] == {"a": 50, "b": 7, ALL: 57}
    assert found["jfk", "flights"] == {"a": 50, ALL: 50}
    assert found["north", "people"] == found["north", "visits"] == {"a": 9, ALL: 9}
    assert {contract for _, contract in found if contract == "odd"} == set()


def test_a_chart_is_as_high_as_its_highest_stack() -> None:
    """Bars stand on the line, on one another, and not above the scale."""
    spans = ("2026-11-26", "2026-11-27")
    chart = stacked(spans, {spans[1]: {"answered": 3, "refused": 1}})
    assert {bar.kind for bar in chart.bars} == {"answered", "refused"}
    assert min(bar.y for bar in chart.bars) == pytest.approx(chart.scale[-1][0])
    assert max(bar.y + bar.height for bar in chart.bars) == pytest.approx(chart.scale[0][0])
    assert chart.scale[-1][1] == 4
    assert stacked(spans, {}).bars == ()


def test_a_difference_shows_what_came_and_what_went() -> None:
    """And where; nothing where nothing is another."""
    old, new = "permit (a);\nforbid (b);\n", "permit (a);\npermit (c);\n"
    found = differing(old, new)
    assert ("gone", "forbid (b);") in found
    assert ("new", "permit (c);") in found
    assert ("same", "permit (a);") in found
    assert differing(old, old) == []
