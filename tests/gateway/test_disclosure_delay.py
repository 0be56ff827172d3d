"""What a person may be told later is settled when it is logged, by the owner's term of that day."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from landbridge.errors import LandbridgeError
from landbridge.evidence.entry import instant
from policies.handler import read
from tests.people import PURPOSE, TARGET, crowd
from tests.simulator import FederationSimulator

Simulate = Callable[..., FederationSimulator]

BAND = read(
    """-- handler: band
-- version: "1"
-- description: Whether somebody lives here.
-- contract: people
-- subject: person
-- arguments: {person: integer}
-- codes: [HERE, ABSENT]
-- absent: ABSENT
-- level: internal
-- purposes: [dpv:ResearchAndDevelopment, dpv:ServiceProvision]
-- subjects_per_day: 10
SELECT 'HERE' FROM people WHERE person_id = $person
""",
    "band.sql",
)
CARE = "dpv:ServiceProvision"


@pytest.fixture
def federation(simulate: Simulate) -> FederationSimulator:
    """One department whose owner delays one of two purposes by 90 days."""
    return simulate(
        {"north": [TARGET, *crowd(5)]},
        contract={
            "landbridgePurposes": [PURPOSE, CARE],
            "landbridgeDisclosureDelay": [{"purpose": CARE, "days": 90}],
        },
        handlers=[BAND],
    )


def test_a_delayed_purpose_is_marked_at_the_department(federation: FederationSimulator) -> None:
    """From the day of the entry; another purpose carries no mark."""
    from datetime import UTC, datetime, timedelta

    token = federation.token(purposes=[PURPOSE, CARE])
    federation.call("north.band", purpose=PURPOSE, token=token, person=4711)
    federation.call("north.band", purpose=CARE, token=token, person=4711)
    at_once, later = federation.entries("north")
    assert at_once.disclosable_from == ""
    due = datetime.fromtimestamp(federation.now, UTC) + timedelta(days=90)
    assert later.disclosable_from == instant(due)
    assert at_once.subject == later.subject != ""


def test_a_refusal_of_a_delayed_purpose_is_delayed_too(federation: FederationSimulator) -> None:
    """That somebody tried would warn as well."""
    token = federation.token(purposes=[PURPOSE, CARE])
    for person in range(10):
        federation.call("north.band", purpose=CARE, token=token, person=person)
    with pytest.raises(LandbridgeError):
        federation.call("north.band", purpose=CARE, token=token, person=4711)
    refused = federation.entries("north")[-1]
    assert (refused.outcome, bool(refused.subject)) == ("refused", True)
    assert refused.disclosable_from


def test_a_handler_may_delay_for_longer_than_its_contract(simulate: Simulate) -> None:
    """Its own term counts beside the contract's; the longer one holds, whichever it is."""
    from datetime import UTC, datetime, timedelta

    for own, due in ((200, 200), (10, 90)):
        federation = simulate(
            {"north": [TARGET, *crowd(5)]},
            contract={
                "landbridgePurposes": [PURPOSE, CARE],
                "landbridgeDisclosureDelay": [{"purpose": CARE, "days": 90}],
            },
            handlers=[replace(BAND, delays=((CARE, own),))],
        )
        token = federation.token(purposes=[PURPOSE, CARE])
        federation.call("north.band", purpose=CARE, token=token, person=4711)
        (entry,) = federation.entries("north")
        until = datetime.fromtimestamp(federation.now, UTC) + timedelta(days=due)
        assert entry.disclosable_from == instant(until)
