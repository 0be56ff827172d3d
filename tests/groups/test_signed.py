"""What a gateway could make of a department's words: nothing that a member would believe."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from landbridge.errors import LandbridgeError
from landbridge.group.exchanges import chosen, counted
from landbridge.group.reading import read_notice
from landbridge.group.signed import require_group, sign_group, sign_notice
from landbridge.group.token import number_in, token_of
from landbridge.group.view import GroupView, Poll
from landbridge.v1 import group_pb2

KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
OTHER = Ed25519PrivateKey.from_private_bytes(bytes([1] * 32))
NOTICE = {"federation": "town", "department": "north", "group": "grid", "number": 3, "at_ms": 1}
GRID = GroupView(
    "town", "north", "grid", "The grid", "dpv:ServiceProvision", True, (), (), (), KEY.public_key()
)


def signed(key: Ed25519PrivateKey = KEY, **changes: Any) -> group_pb2.SignedNotice:
    """A notice as somebody signed it."""
    return sign_notice(
        group_pb2.Notice(**{**NOTICE, "title": "Heat", "text": "Drink.", **changes}), key
    )


def why(notice: group_pb2.SignedNotice, after: int = 2) -> str:
    """Why it is not believed."""
    with pytest.raises(LandbridgeError) as caught:
        read_notice(notice, GRID, after)
    assert caught.value.reason == "ANSWER_REJECTED"
    return caught.value.message


def test_a_notice_that_the_department_signed_is_read() -> None:
    """The positive control: what follows refuses it for its changes."""
    assert read_notice(signed(), GRID, 2).token == "north.grid:3"


def test_a_notice_of_anybody_else_is_not() -> None:
    """A gateway, another department, another group, or a word that was changed on the way."""
    assert "not signed" in why(signed(OTHER))
    assert "another group" in why(signed(group="clinic"))
    assert "another group" in why(signed(federation="village"))
    changed = signed()
    changed.notice.text = "Do not drink."
    assert "not signed" in why(changed)


def test_a_notice_that_was_left_out_is_missed() -> None:
    """Numbers have no gap: a member who hears the third after the first knows."""
    assert "left out" in why(signed(), after=1)
    assert "left out" in why(signed(), after=3)


@given(field=st.sampled_from(("contract", "column", "second", "options", "closes")))
def test_a_poll_cannot_be_led_elsewhere(field: str) -> None:
    """A ballot goes where the department said, not where a gateway would have it."""
    poll = group_pb2.PollView(
        name="market", contract="market", column="wanted", second="south", options=["true", "false"]
    )
    group = sign_group(group_pb2.GroupView(name="grid", department="north", polls=[poll]), KEY)
    assert require_group(group, KEY.public_key()).polls[0].contract == "market"
    changed = group.group.polls[0]
    if field == "options":
        changed.options.append("maybe")
    else:
        setattr(changed, field, "2027-01-01" if field == "closes" else "elsewhere")
    with pytest.raises(LandbridgeError, match="ANSWER_REJECTED"):
        require_group(group, KEY.public_key())


@given(number=st.integers(0, 10**15 - 1))
def test_a_token_names_its_notice(number: int) -> None:
    """What was handed out is understood again, and nothing else is."""
    assert number_in(token_of("north.grid", number), "north.grid") == number
    with pytest.raises(LandbridgeError, match="INVALID_ARGUMENT"):
        number_in(token_of("north.grid", number), "north.other")


@pytest.mark.parametrize("token", ["3", "north.grid:", "north.grid:-1", "north.grid:٣", "x:1"])
def test_a_token_that_is_none_is_refused(token: str) -> None:
    """It would begin in the wrong place, and notices would be missed."""
    with pytest.raises(LandbridgeError, match="INVALID_ARGUMENT"):
        number_in(token, "north.grid")


def test_a_choice_is_held_against_the_poll_before_anything_is_sent() -> None:
    """A slip is no ballot."""
    poll = Poll("market", "", "market", "wanted", ("true", "false"), "south", None, None, False)
    assert chosen(poll, True) == chosen(poll, "true") == "true"
    with pytest.raises(LandbridgeError, match="Nothing was sent"):
        chosen(poll, "perhaps")


def test_a_declared_question_is_one_select_of_counts() -> None:
    """What a member asks is what a reviewer read in the group's file."""
    assert counted(GRID, "reports", ("street",), "n") == (
        "SELECT street, count(*) AS n FROM north.reports GROUP BY street"
    )
    assert counted(GRID, "reports", (), "n") == "SELECT count(*) AS n FROM north.reports"
