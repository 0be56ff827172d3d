"""Several logs as one: by time, and never against the order that a log signed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from landbridge.evidence.selection import Found, Selection, merged


def log(name: str, minutes: list[int]) -> list[Found]:
    """Entries at these minutes, in this order."""
    return [
        Found(name, index, b"", {"time": f"2026-01-01T00:{minute:02d}:00.000000Z"})
        for index, minute in enumerate(minutes)
    ]


MINUTES = st.lists(st.integers(0, 59), max_size=8)


@given(st.lists(MINUTES, max_size=4))
def test_no_entry_is_lost_or_overtaken_whatever_the_clocks_did(logs: list[list[int]]) -> None:
    """F23: a clock that went back moves no entry before its predecessor."""
    whole = list(merged([log(str(number), minutes) for number, minutes in enumerate(logs)]))
    for number, minutes in enumerate(logs):
        own = [found.index for found in whole if found.log == str(number)]
        assert own == list(range(len(minutes)))
    assert len(whole) == sum(map(len, logs))


@given(MINUTES, MINUTES)
def test_clocks_that_go_forward_give_one_order_in_time(one: list[int], other: list[int]) -> None:
    """As if both had written to one log."""
    whole = merged([log("a", sorted(one)), log("b", sorted(other))])
    times = [found.fields["time"] for found in whole]
    assert times == sorted(times)


def test_an_empty_selection_wants_everything() -> None:
    """Also what has no time, for it cannot be read."""
    assert Selection().test()({"unreadable": "it is no entry"})
    assert not Selection(since="2026").test()({"unreadable": "it is no entry"})
