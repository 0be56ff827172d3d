"""A verified token is remembered, and no longer than it should be."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import pytest

from landbridge.errors import LandbridgeError
from landbridge.identity import tokens
from landbridge.identity.caller import Caller
from landbridge.identity.keys import KeySet
from landbridge.identity.tokens import TokenVerifier

from .forge import AUDIENCE, ISSUER, NOW, Clock, Signer, ed25519_signer, token, write_jwks
from .refusal import assert_refused


def test_a_known_token_costs_one_signature(
    verifier: TokenVerifier, signer: Signer, verifications: list[str]
) -> None:
    """Verifying each time took a third of the gateway's throughput."""
    good = token(signer)
    first = verifier.verify(good)
    assert [verifier.verify(good) for _ in range(50)] == [first] * 50
    assert verifications == [signer.kid]


def test_another_token_is_not_the_known_one(
    verifier: TokenVerifier, ed: Signer, verifications: list[str]
) -> None:
    """The memory must not answer for a token that merely begins or ends the same."""
    good = token(ed)
    verifier.verify(good)
    assert_refused(verifier, good[:-1] + ("A" if good[-1] != "A" else "Q"))
    assert verifier.verify(token(ed, sub="bob")).subject == "bob"
    assert len(verifications) in {2, 3}


def test_a_refused_token_is_not_remembered(
    verifier: TokenVerifier, ed: Signer, clock: Clock, verifications: list[str]
) -> None:
    """A token that is not valid yet becomes valid; its refusal must not stick."""
    later = token(ed, nbf=NOW + 100)
    assert_refused(verifier, later, "TOKEN_EXPIRED")
    clock.now += 100
    verifier.verify(later)
    verifier.verify(later)
    assert verifications == ["ed-1", "ed-1"]


def test_the_memory_ends_with_the_token(verifier: TokenVerifier, ed: Signer, clock: Clock) -> None:
    """Attack 87: to be remembered must not lengthen a life."""
    good = token(ed)
    verifier.verify(good)
    clock.now = NOW + 3630
    assert_refused(verifier, good, "TOKEN_EXPIRED")


def test_a_known_token_is_refused_when_the_clock_goes_back(
    verifier: TokenVerifier, ed: Signer, clock: Clock
) -> None:
    """Fault F23: judged by the clock as it is, not as it was when the token was remembered."""
    good = token(ed)
    verifier.verify(good)
    clock.now = NOW - 3600
    assert_refused(verifier, good)


def test_a_change_of_keys_empties_the_memory(
    verifier: TokenVerifier,
    signers: dict[str, Signer],
    jwks: Path,
    clock: Clock,
    verifications: list[str],
) -> None:
    """Every token is judged anew by the keys that are in force, also where its key stays."""
    stays, goes = token(signers["ES256"]), token(signers["EdDSA"])
    verifier.verify(stays)
    verifier.verify(goes)
    write_jwks(jwks, signers["ES256"])
    clock.now += 1
    verifier.verify(stays)
    assert_refused(verifier, goes)
    assert verifications == ["ec-1", "ed-1", "ec-1"]


def test_a_stolen_kid_is_not_covered_by_the_memory(
    verifier: TokenVerifier, ed: Signer, jwks: Path, clock: Clock
) -> None:
    """A new key under the old name revokes the tokens of the old key."""
    good = token(ed)
    verifier.verify(good)
    write_jwks(jwks, ed25519_signer(ed.kid))
    clock.now += 1
    assert_refused(verifier, good)


def test_the_memory_forgets_the_least_recently_used(
    keys: KeySet,
    clock: Clock,
    ed: Signer,
    verifications: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Callers with many tokens must not fill the server."""
    assert tokens._REMEMBERED == 10_000
    monkeypatch.setattr(tokens, "_REMEMBERED", 3)
    small = TokenVerifier(ISSUER, AUDIENCE, keys, clock)
    a, b, c, d = (token(ed, jti=name) for name in "abcd")
    for known in (a, b, c, a, d):
        small.verify(known)
    verifications.clear()
    for known in (a, c, d):
        small.verify(known)
    assert verifications == []
    small.verify(b)
    assert verifications == ["ed-1"]


def test_threads_get_their_own_callers(verifier: TokenVerifier, ed: Signer) -> None:
    """Many threads, known, new and bad tokens mixed: nobody is ever taken for somebody else."""
    good = {name: token(ed, sub=name) for name in (f"caller-{n}" for n in range(20))}
    bad = token(ed25519_signer(ed.kid))
    seen: list[tuple[str, Caller]] = []
    refusals: list[str] = []

    def ask(start: int) -> None:
        names = list(good)
        for step in range(100):
            name = names[(start * 7 + step) % len(names)]
            seen.append((name, verifier.verify(good[name])))
            if step % 10 == 0:
                try:
                    verifier.verify(bad)
                except LandbridgeError as refusal:
                    refusals.append(refusal.reason)

    switch = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        threads = [threading.Thread(target=ask, args=(start,)) for start in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(switch)
    assert len(seen) == 800
    assert all(caller.subject == name for name, caller in seen)
    assert refusals == ["TOKEN_INVALID"] * 80
