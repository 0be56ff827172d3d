"""A disclosure delay is the owner's, for one purpose, and is read strictly."""

from __future__ import annotations

from typing import Any

import pytest

from policies.odcs import ContractInvalid
from tests.people import PURPOSE, contract

CARE = "dpv:ServiceProvision"


def test_without_a_term_everything_is_told_at_once() -> None:
    """Silence is never the default."""
    assert contract().delays == ()


def test_the_owner_says_how_long_for_which_purpose() -> None:
    """Other purposes of the same contract are told at once."""
    made = contract(
        landbridgePurposes=[PURPOSE, CARE],
        landbridgeDisclosureDelay=[{"purpose": CARE, "days": 90}],
    )
    assert made.delays == ((CARE, 90),)


@pytest.mark.parametrize(
    ("delay", "problem"),
    [
        ({"purpose": PURPOSE, "days": 3}, "must be a list"),
        ([{"purpose": PURPOSE}], "a delay is a number of days"),
        ([{"days": 3}], "a delay is one purpose's"),
        ([{"purpose": PURPOSE, "days": 0}], "whole number from 1 to 3660"),
        ([{"purpose": PURPOSE, "days": 4000}], "whole number from 1 to 3660"),
        ([{"purpose": PURPOSE, "days": 3}, {"purpose": PURPOSE, "days": 4}], "listed twice"),
        ([{"purpose": CARE, "days": 3}], "must be one of landbridgePurposes"),
        ([{"purpose": PURPOSE, "days": 3, "until": 1}], "is not read here"),
    ],
)
def test_a_slip_stops_the_contract(delay: Any, problem: str) -> None:
    """A delay that was not understood would tell too early, or never."""
    with pytest.raises(ContractInvalid, match=problem):
        contract(landbridgeDisclosureDelay=delay)
