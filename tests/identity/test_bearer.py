"""Attacks on the way that a token arrives."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landbridge.errors import Unauthenticated
from landbridge.identity.bearer import bearer_token

Metadata = list[tuple[str, str | bytes]]


def reason_of(metadata: Metadata) -> str:
    """The reason for which a call with that metadata is refused."""
    with pytest.raises(Unauthenticated) as caught:
        bearer_token(metadata)
    return caught.value.reason


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "bEaReR"])
def test_one_good_entry_gives_its_token(scheme: str) -> None:
    """RFC 9110: schemes are compared without case; the token keeps its own."""
    metadata: Metadata = [("user-agent", "x"), ("authorization", f"{scheme} aB-_.c.D9")]
    assert bearer_token(metadata) == "aB-_.c.D9"


@pytest.mark.parametrize("metadata", [[], [("user-agent", "Bearer a.b.c"), ("x-token", "a.b.c")]])
def test_no_entry_is_a_missing_token(metadata: Metadata) -> None:
    """Never by another header: only authorization counts."""
    assert reason_of(metadata) == "TOKEN_MISSING"


@pytest.mark.parametrize(
    "metadata",
    [
        [("authorization", "Bearer a.b.c"), ("authorization", "Bearer d.e.f")],
        [("authorization", "Bearer a.b.c"), ("authorization", "Bearer a.b.c")],
        [("authorization", "Bearer a.b.c"), ("Authorization", "Bearer d.e.f")],
        [("authorization", "Bearer a.b.c"), ("authorization", "")],
        [("authorization", "Bearer a.b.c"), ("authorization-bin", b"Bearer d.e.f")],
        [("authorization-bin", b"Bearer d.e.f"), ("authorization", "Bearer a.b.c")],
        [("authorization-bin", b"Bearer a.b.c")],
        [("authorization-bin", "Bearer a.b.c")],
        [("authorization", b"Bearer a.b.c")],
    ],
)
def test_two_entries_or_a_binary_one_are_refused(metadata: Metadata) -> None:
    """Attack 91: a dict would keep the last, a proxy may judge the first."""
    assert reason_of(metadata) == "TOKEN_INVALID"


@pytest.mark.parametrize(
    "value",
    [
        "",
        "Bearer",
        "Bearer ",
        "Bearer  a.b.c",
        " Bearer a.b.c",
        "Bearer a.b.c ",
        "Bearer a.b.c\t",
        "Bearer a.b.c\n",
        "Bearer\ta.b.c",
        "Bearer a.b.c, Bearer d.e.f",
        "Bearer a.b.c,d",
        "Bearer a b",
        "Bearer a=b",
        "Bearer a/b+c",
        "Bearer a.b.c\0",
        "Bearer é",
        "Bearer \uff41",
        "Bea\u0280er a.b.c",
        "Basic YTpi",
        "DPoP a.b.c",
        "Bearer: a.b.c",
        'Bearer "a.b.c"',
        "a.b.c",
    ],
)
def test_any_other_spelling_is_refused(value: str) -> None:
    """Attack 91: double blanks, trailing tabs, other schemes, foreign letters."""
    assert reason_of([("authorization", value)]) == "TOKEN_INVALID"


@settings(deadline=None)
@given(st.lists(st.tuples(st.text(), st.text() | st.binary())))
def test_no_metadata_makes_it_fall_over(metadata: Metadata) -> None:
    """Random calls carry no token that we would take, and raise nothing but a refusal."""
    assert reason_of(metadata) in {"TOKEN_MISSING", "TOKEN_INVALID"}


@settings(deadline=None)
@given(st.text() | st.from_regex(r"[Bb]earer[ \t]{0,3}[\w.=-]*\s?", fullmatch=True))
def test_no_second_spelling_of_an_entry_is_accepted(value: str) -> None:
    """An accepted value is the scheme, one space and the token, to the letter."""
    with suppress(Unauthenticated):
        token = bearer_token([("authorization", value)])
        assert value[:6].lower() == "bearer"
        assert value[6:] == f" {token}"
        assert token.isascii()
        assert not {" ", "\t", "\n", "="} & set(token)
