"""The rules of a collection: how they are read, and what they decide."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from policies import odcs
from policies.collection import Turn, correctable, ends, period_of, turn, window
from policies.contract import Allotment, Collection, Correctors, Method
from tests.submission.town import document

TABULAR = {
    "landbridgeRowsPerUnit": None,
    "landbridgeBudget": None,
    "landbridgeEpsilon": None,
    "landbridgeMinimumUnits": 5,
}
CELL_KEY = {
    **TABULAR,
    "landbridgeMethod": "cell_key",
    "landbridgeCellKey": {"D": 5, "V": 4, "js": 2},
}
EXACT = {
    **TABULAR,
    "landbridgeMethod": "exact",
    "landbridgeExactFor": ["office"],
    "landbridgeExactBy": ["area"],
}


def rules(given: Any, **changes: Any) -> Collection:
    """As the contract's reader finds them."""
    found = odcs.read(document(given, **changes), "test").collection
    assert found is not None
    return found


def problems(given: Any, **changes: Any) -> str:
    """What the reader says of them."""
    with pytest.raises(odcs.ContractInvalid) as invalid:
        odcs.read(document(given, **changes), "test")
    return "\n".join(invalid.value.problems)


def day(text: str) -> datetime:
    """Midnight, UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_every_rule_is_read() -> None:
    """What an owner writes is what counts."""
    found = rules(
        {
            "open": "2026-01-01",
            "close": "2026-07-01T12:00:00+02:00",
            "grace": 48,
            "one": {"per": ["person"], "period": "month", "of": "asked"},
            "correct": {"until": "2026-08-01", "by": "organisation", "also": ["enumerators"]},
            "quota": {
                "device": {"records": 5, "period": "day"},
                "organisation": {"records": 1000, "period": "never"},
            },
            "visible": {"seconds": 60},
        }
    )
    assert found == Collection(
        opens=day("2026-01-01"),
        closes=day("2026-07-01") + timedelta(hours=10),
        grace=48,
        subject=("person",),
        period="month",
        of="asked",
        correctable=True,
        correct_until=day("2026-08-01"),
        by=Correctors.ORGANISATION,
        also=frozenset({"enumerators"}),
        device=Allotment(5, "day"),
        organisation=Allotment(1000, "never"),
        every=60,
        least=1,
    )


def test_without_the_property_nothing_is_collected() -> None:
    """A table that is loaded from files takes no records."""
    assert odcs.read(document(None), "test").collection is None


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"opens": "2026-01-01"}, "opens: is not read here"),
        ({"open": "soon"}, "open: must be a date or a moment"),
        ({"open": "2026-02-01", "close": "2026-01-01"}, "close: must be later than open"),
        ({"grace": 5}, "grace: means nothing where the collection never closes"),
        ({"one": {"per": ["nobody"]}}, "must name a column of this contract"),
        ({"one": {"per": ["told"]}}, "must name a column that is required"),
        ({"one": {"per": ["person"], "period": "month"}}, "of: is missing"),
        ({"one": {"per": ["person"], "period": "month", "of": "area"}}, "date or timestamp"),
        ({"one": {"per": ["person"], "of": "asked"}}, "of: must be left out"),
        ({"correct": {"by": "everybody"}}, "by: must be contributor, organisation or anybody"),
        ({"close": "2026-02-01", "correct": {"until": "2026-01-01"}}, "not be earlier than close"),
        ({"quota": {"device": {"records": 0, "period": "day"}}}, "records: must be a whole number"),
        ({"visible": {"least": 3}}, "least: must be left out"),
        ("yes", "must be a mapping"),
    ],
)
def test_a_rule_that_means_nothing_is_a_problem(given: Any, said: str) -> None:
    """Each with its place, so that no rule is a promise that nobody keeps."""
    assert said in problems(given)


def test_a_contributor_cannot_spoil_the_table() -> None:
    """What a load refuses a whole table for must not be theirs to bring about."""
    text = document({})
    unique = text.replace('"name": "person", ', '"name": "person", "unique": true, ')
    with pytest.raises(odcs.ContractInvalid, match="must be per person, for ever"):
        odcs.read(unique, "test")
    odcs.read(unique.replace('"value": {}', '"value": {"one": {"per": ["person"]}}'), "test")
    found = text.replace(
        '{"name": "told", ',
        '{"name": "told", "customProperties": '
        '[{"property": "landbridgeGroupable", "value": true}], ',
    )
    with pytest.raises(odcs.ContractInvalid, match="declare its enum"):
        odcs.read(found, "test")


def test_tables_without_a_budget_are_renewed_with_care() -> None:
    """Two tables that differ by one unit are about that unit."""
    assert rules({}, **CELL_KEY).least == 10
    assert "at least landbridgeMinimumUnits" in problems({"visible": {"least": 4}}, **CELL_KEY)
    assert "a collection that closes" in problems({}, **EXACT)
    assert "shown once" in problems({"close": "2026-01-01", "visible": {"seconds": 5}}, **EXACT)
    assert rules({"close": "2026-01-01"}, **EXACT).least == 10


NOW = day("2026-05-10")
OPEN = Collection(opens=day("2026-05-01"), closes=day("2026-05-20"), grace=24)


@pytest.mark.parametrize(
    ("captured", "now", "found"),
    [
        ("2026-05-02", "2026-05-03", "OPEN"),
        ("2026-04-30", "2026-05-03", "EARLY"),
        ("2026-04-30", "2026-04-30", "EARLY"),
        ("2026-05-19", "2026-05-20", "OPEN"),  # made in time, came within the grace
        ("2026-05-20", "2026-05-20", "LATE"),
        ("2026-05-19", "2026-05-21", "LATE"),
    ],
)
def test_a_record_is_in_time_by_when_it_was_made_and_came(
    captured: str, now: str, found: str
) -> None:
    """An offline device is not late for the way; nobody back-dates past the grace."""
    assert window(OPEN, day(captured), day(now)) == found


def test_the_period_is_that_of_the_record_s_own_date() -> None:
    """A report of April is April's, whenever it comes."""
    april = date(2026, 4, 30)
    texts = {
        period: period_of(Collection(period=period, of="asked"), april)
        for period in ("day", "month", "year", "never")
    }
    assert texts == {"day": "2026-04-30", "month": "2026-04", "year": "2026", "never": ""}


def test_corrections_end() -> None:
    """Until the moment that the owner set, or never, or not at all."""
    until = Collection(correctable=True, correct_until=NOW)
    assert correctable(until, NOW - timedelta(seconds=1))
    assert not correctable(until, NOW)
    assert correctable(Collection(correctable=True), NOW)
    assert not correctable(Collection(), NOW)
    assert ends(OPEN) == day("2026-05-21")
    assert ends(Collection(closes=NOW, correctable=True)) is None


def test_a_dp_table_is_renewed_by_the_clock_alone() -> None:
    """A new version must not tell that somebody came: it comes whether anybody did or not."""
    found = Collection(every=60)
    shown = NOW
    assert turn(Method.DP, found, shown, NOW + timedelta(seconds=59)) is Turn.NOTHING
    assert turn(Method.DP, found, shown, NOW + timedelta(seconds=60)) is Turn.RENEW
    assert turn(Method.CELL_KEY, found, shown, NOW + timedelta(seconds=60)) is Turn.RENEW_IF
    # A clock that went back re-opens nothing.
    assert turn(Method.DP, found, shown, NOW - timedelta(days=1)) is Turn.NOTHING


def test_an_exact_table_is_shown_once() -> None:
    """When nothing can change it any more."""
    before, after = day("2026-05-20"), day("2026-05-21")
    assert turn(Method.EXACT, OPEN, day("2026-01-01"), before) is Turn.NOTHING
    assert turn(Method.EXACT, OPEN, day("2026-01-01"), after) is Turn.RENEW
    assert turn(Method.EXACT, OPEN, after, after + timedelta(days=9)) is Turn.NOTHING
