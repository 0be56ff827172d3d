"""Sessions end: by themselves, by their owner, and all at once."""

from __future__ import annotations

from landbridge.web.limits import Limits
from landbridge.web.sessions import Sessions, cookie
from landbridge.web.words import Words
from tests.web.test_signin import Clock


def test_a_session_ends_when_nobody_uses_it() -> None:
    """A screen that was left alone."""
    clock = Clock()
    live = Sessions(idle=60, longest=600, clock=clock)
    name, _ = live.begin("ann", "token")
    clock.now += 59
    assert live.find(name) is not None
    clock.now += 60
    assert live.find(name) is None


def test_a_session_ends_however_much_it_is_used() -> None:
    """A stolen cookie is worth something for hours, not for ever."""
    clock = Clock()
    live = Sessions(idle=60, longest=600, clock=clock)
    name, _ = live.begin("ann", "token")
    for _ in range(11):
        clock.now += 50
        assert live.find(name) is not None
    clock.now += 50
    assert live.find(name) is None


def test_a_session_that_is_ended_is_ended_whoever_has_the_cookie() -> None:
    """It lies here and not in the cookie; everywhere means every browser."""
    live = Sessions(60, 600, Clock())
    first, _ = live.begin("ann", "token")
    second, _ = live.begin("ann", "token")
    other, _ = live.begin("bea", "token")
    live.end(first)
    assert live.find(first) is None
    live.end_all("ann")
    assert live.find(second) is None
    assert live.find(other) is not None


def test_a_cookie_is_for_this_host_tls_and_no_script() -> None:
    """What a browser can hold, it is told to hold."""
    line = cookie("name")
    assert line.startswith("__Host-")
    assert {"Secure", "HttpOnly", "SameSite=Lax", "Path=/"} <= {*line.split("; ")}


def test_a_form_of_another_session_is_not_owned() -> None:
    """The secret of one session does nothing in another."""
    live = Sessions(60, 600, Clock())
    _, mine = live.begin("ann", "token")
    _, other = live.begin("ann", "token")
    assert mine.owns(mine.form)
    assert not mine.owns(other.form)
    assert not mine.owns("")


def test_a_burst_is_let_through_and_what_follows_waits() -> None:
    """One bucket each: a stranger's flood does not use up another's."""
    clock = Clock()
    limits = Limits(3, 1.0, clock)
    assert [limits.admit("a") for _ in range(4)] == [True, True, True, False]
    assert limits.admit("b")
    clock.now += 2
    assert [limits.admit("a") for _ in range(3)] == [True, True, False]


def test_what_is_filled_into_a_sentence_is_escaped() -> None:
    """A translated sentence is markup, and what stands in it is not."""
    english = Words([]).wanted("", "fr, *;q=0.1")
    assert english.tag == "en"
    assert str(english("Entry %(n)s", n="<b>")) == "Entry &lt;b&gt;"
