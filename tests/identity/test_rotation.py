"""Keys rotate while many threads ask: nobody is refused who holds a token of a published key."""

from __future__ import annotations

import json
import threading
from pathlib import Path

from landbridge.errors import LandbridgeError
from landbridge.identity.address import LAST_GOOD, KeyAddress
from landbridge.identity.fetch import Fetched
from landbridge.identity.keys import KeySet
from landbridge.identity.tokens import TokenVerifier

from .forge import AUDIENCE, ISSUER, NOW, Clock, Signer, ed25519_signer, token, write_jwks
from .refusal import assert_refused

THREADS = 8
CYCLES = 20


class Crowd:
    """Threads that ask without a pause with whatever tokens are valid by the operator's plan."""

    def __init__(self, verifier: TokenVerifier, first: str) -> None:
        self.valid = [first]
        self.asked = [0] * THREADS
        self.refused: list[str] = []
        self._verifier = verifier
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._ask, args=(place,)) for place in range(THREADS)
        ]

    def __enter__(self) -> Crowd:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def round(self) -> None:
        """Returns when every thread has asked twice more: once for certain since this began."""
        wanted = [count + 2 for count in self.asked]
        while any(has < want for has, want in zip(self.asked, wanted, strict=True)):
            if not any(thread.is_alive() for thread in self._threads):
                return
            threading.Event().wait(0.001)

    def _ask(self, place: int) -> None:
        while not self._stop.is_set():
            for made in tuple(self.valid):
                try:
                    self._verifier.verify(made)
                except LandbridgeError as refusal:
                    self.refused.append(refusal.reason)
            self.asked[place] += 1


def test_a_file_rotates_under_load_with_nobody_refused(tmp_path: Path) -> None:
    """Attack 93: old; old and new; new. Twenty times while eight threads ask."""
    clock = Clock()
    path = tmp_path / "jwks.json"
    old = ed25519_signer("k-0")
    write_jwks(path, old)
    verifier = TokenVerifier(ISSUER, AUDIENCE, KeySet.load(path, clock), clock)
    with Crowd(verifier, token(old, exp=NOW + 3600)) as crowd:
        for cycle in range(1, CYCLES + 1):
            new = ed25519_signer(f"k-{cycle}")
            write_jwks(path, old, new)
            clock.now += 1
            crowd.valid = [token(old, exp=NOW + 3600), token(new, exp=NOW + 3600)]
            crowd.round()
            crowd.valid = crowd.valid[1:]
            crowd.round()  # nobody holds an old one any more
            write_jwks(path, new)
            clock.now += 1
            crowd.round()
            assert_refused(verifier, token(old, exp=NOW + 3600))
            old = new
    assert crowd.refused == []
    assert min(crowd.asked) >= 3 * CYCLES


def test_an_address_rotates_under_load_with_nobody_refused(ed: Signer) -> None:
    """The same with a provider that is fetched from; old tokens are refused after the change."""
    clock = Clock()
    published = [ed]

    def fetch(_: str) -> Fetched:
        document = json.dumps({"keys": [signer.jwk for signer in published]}).encode()
        return Fetched(document, "", 60)

    address = KeyAddress("https://identity.example/jwks", fetch, clock)
    keys = KeySet(address, clock, LAST_GOOD)
    verifier = TokenVerifier(ISSUER, AUDIENCE, keys, clock)

    def published_now(*signers: Signer) -> None:
        published[:] = signers
        clock.now += 60
        assert address.fetch_if_due()
        keys.renew()

    old = ed
    with Crowd(verifier, token(old, exp=NOW + 7200)) as crowd:
        for cycle in range(1, CYCLES + 1):
            new = ed25519_signer(f"k-{cycle}")
            published_now(old, new)
            crowd.valid = [token(old, exp=NOW + 7200), token(new, exp=NOW + 7200)]
            crowd.round()
            crowd.valid = crowd.valid[1:]
            crowd.round()
            published_now(new)
            crowd.round()
            assert_refused(verifier, token(old, exp=NOW + 7200))
            old = new
    assert crowd.refused == []
