"""Revoked is revoked at once, also when it is remembered; a broken list closes in the end."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from landbridge.identity.followed import SourceError
from landbridge.identity.keys import KeySet
from landbridge.identity.revocation import Revocations
from landbridge.identity.tokens import TokenVerifier

from .forge import AUDIENCE, ISSUER, NOW, Clock, Signer, token
from .refusal import assert_refused

LATER = "2027-02-01T00:00:00Z"
LATER_SECONDS = 1_801_440_000


def write(path: Path, *entries: dict[str, object]) -> Path:
    """The list with those entries, each with a reason and a moment where it has none."""
    common = {"reason": "left the office", "until": LATER}
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps({"revoked": [common | entry for entry in entries]}))
    fresh.replace(path)
    return path


@pytest.fixture
def revoked(tmp_path: Path) -> Path:
    """A list of nobody."""
    return write(tmp_path / "revoked.json")


@pytest.fixture
def guarded(keys: KeySet, clock: Clock, revoked: Path) -> TokenVerifier:
    """A verifier that follows the list."""
    revocations = Revocations.load(revoked, clock)
    return TokenVerifier(ISSUER, AUDIENCE, keys, clock, revocations=revocations)


@pytest.mark.parametrize(
    "entry",
    [
        {"token": "t-1"},
        {"subject": "alice"},
        {"organisation": "harbour-office"},
        {"key": "ed-1"},
    ],
)
def test_each_kind_is_refused_at_once_also_when_remembered(
    guarded: TokenVerifier, ed: Signer, revoked: Path, clock: Clock, entry: dict[str, object]
) -> None:
    """Whoever was answered a second ago is refused now, and nobody else is."""
    known = token(ed, exp=NOW + 3600)
    assert guarded.verify(known).subject == "alice"
    write(revoked, entry)
    clock.now += 1
    for _ in range(2):
        assert_refused(guarded, known, "TOKEN_REVOKED")
    write(revoked, {next(iter(entry)): "somebody else"})
    clock.now += 1
    assert guarded.verify(known).subject == "alice"


def test_a_name_of_one_kind_is_none_of_another(
    guarded: TokenVerifier, ed: Signer, revoked: Path, clock: Clock
) -> None:
    """A subject who is called like an organisation is not revoked with it."""
    write(revoked, {"organisation": "alice"}, {"subject": "harbour-office"}, {"key": "t-1"})
    clock.now += 1
    assert guarded.verify(token(ed)).subject == "alice"


def test_an_entry_ends_with_its_moment_and_the_later_one_counts(
    guarded: TokenVerifier, ed: Signer, revoked: Path, clock: Clock
) -> None:
    """Lists need not grow for ever."""
    write(revoked, {"subject": "alice"}, {"subject": "alice", "until": "2020-01-01T00:00:00Z"})
    for moment, passes in ((LATER_SECONDS - 1, False), (LATER_SECONDS, True)):
        clock.now = moment
        made = token(ed, iat=moment, exp=moment + 60)
        if passes:
            guarded.verify(made)
        else:
            assert_refused(guarded, made, "TOKEN_REVOKED")


def test_a_stranger_does_not_learn_who_is_revoked(
    guarded: TokenVerifier, ed: Signer, revoked: Path, clock: Clock
) -> None:
    """Only a token that is sound in all else is told that it was revoked."""
    write(revoked, {"subject": "alice"})
    clock.now += 1
    sound = token(ed)
    forged = sound[:-2] + ("AA" if sound[-2:] != "AA" else "QQ")
    assert_refused(guarded, forged, "TOKEN_INVALID")


@pytest.mark.parametrize("breakage", [None, b"{", b'{"revoked":[{}]}'])
def test_a_broken_list_keeps_the_last_good_one_and_then_closes(
    guarded: TokenVerifier, ed: Signer, revoked: Path, clock: Clock, breakage: bytes | None
) -> None:
    """A slip stops nobody at once; and nobody is served for long by a list that is not there."""
    write(revoked, {"subject": "bob"})
    clock.now += 1
    assert_refused(guarded, token(ed, sub="bob"), "TOKEN_REVOKED")
    if breakage is None:
        revoked.unlink()
    else:
        revoked.write_bytes(breakage)
    clock.now += 3599
    times = {"iat": clock.now, "exp": clock.now + 60}
    assert_refused(guarded, token(ed, sub="bob", **times), "TOKEN_REVOKED")
    guarded.verify(token(ed, **times))
    clock.now += 1
    assert_refused(guarded, token(ed, **times), "TOKEN_REVOKED")
    write(revoked)
    clock.now += 1
    guarded.verify(token(ed, **times))


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (b"", "is not a revocation list"),
        (b"[]", "is not a revocation list"),
        (b"{}", 'it has not one list "revoked" alone'),
        (b'{"revoked":{}}', 'it has not one list "revoked" alone'),
        (b'{"revoked":[],"more":1}', 'it has not one list "revoked" alone'),
        (b'{"revoked":[],"revoked":[]}', "unique members"),
        (b'{"revoked":[7]}', "entry 1 is not a JSON object"),
        (b'{"revoked":[{"subject":"a","until":"2027-01-01T00:00:00Z"}]}', 'a "reason"'),
        (b'{"revoked":[{"subject":"a","reason":"b"}]}', 'an "until"'),
        (b'{"revoked":[{"user":"a","reason":"b","until":"2027-01-01T00:00:00Z"}]}', "one of"),
        (
            b'{"revoked":[{"subject":"a","token":"t","reason":"b","until":"2027-01-01T00:00:00Z"}]}',
            "one of",
        ),
        (
            b'{"revoked":[{"subject":["a"],"reason":"b","until":"2027-01-01T00:00:00Z"}]}',
            'as "subject"',
        ),
        (
            b'{"revoked":[{"subject":"a","reason":"","until":"2027-01-01T00:00:00Z"}]}',
            'as "reason"',
        ),
        (b'{"revoked":[{"subject":"a","reason":"b","until":"2027-01-01"}]}', "2027-01-31T"),
        (b'{"revoked":[{"subject":"a","reason":"b","until":"2027-02-30T00:00:00Z"}]}', "calendar"),
        (b'{"revoked":[{"subject":"a","reason":"b","until":1800000000}]}', "2027-01-31T"),
    ],
)
def test_a_bad_list_is_named_with_its_entry(tmp_path: Path, document: bytes, said: str) -> None:
    """An entry that is not understood might be the person who must not go on."""
    path = tmp_path / "revoked.json"
    path.write_bytes(document)
    with pytest.raises(SourceError) as caught:
        Revocations.load(path)
    assert str(caught.value).startswith(str(path))
    assert said in str(caught.value)
