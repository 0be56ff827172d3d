"""One issuer with a key of each kind, and a verifier that trusts it."""

from __future__ import annotations

from pathlib import Path

import pytest

from landbridge.identity.keys import KeySet
from landbridge.identity.signature import PublicKey
from landbridge.identity.tokens import TokenVerifier

from .forge import (
    AUDIENCE,
    ISSUER,
    Clock,
    Signer,
    ed25519_signer,
    p256_signer,
    rsa_signer,
    write_jwks,
)


@pytest.fixture(scope="session")
def signers() -> dict[str, Signer]:
    """One signer per algorithm; RSA keys take a while to make."""
    made = (ed25519_signer("ed-1"), p256_signer("ec-1"), rsa_signer("rsa-1"))
    return {signer.alg: signer for signer in made}


@pytest.fixture(params=["EdDSA", "ES256", "RS256"])
def signer(request: pytest.FixtureRequest, signers: dict[str, Signer]) -> Signer:
    """Each signer in turn."""
    return signers[request.param]


@pytest.fixture(scope="session")
def ed(signers: dict[str, Signer]) -> Signer:
    """The signer for tests to which the algorithm does not matter."""
    return signers["EdDSA"]


@pytest.fixture
def clock() -> Clock:
    """The clock of the keys and of the verifier, at `NOW`."""
    return Clock()


@pytest.fixture
def jwks(tmp_path: Path, signers: dict[str, Signer]) -> Path:
    """The key file, with all three keys."""
    return write_jwks(tmp_path / "jwks.json", *signers.values())


@pytest.fixture
def keys(jwks: Path, clock: Clock) -> KeySet:
    """The key set that follows the file."""
    return KeySet.load(jwks, clock)


@pytest.fixture
def verifier(keys: KeySet, clock: Clock) -> TokenVerifier:
    """The verifier under attack."""
    return TokenVerifier(ISSUER, AUDIENCE, keys, clock)


@pytest.fixture
def verifications(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The kid of every signature verification that is made, in order."""
    made: list[str] = []
    original = PublicKey.payload

    def counted(self: PublicKey, token: str) -> bytes:
        made.append(self.id)
        return original(self, token)

    monkeypatch.setattr(PublicKey, "payload", counted)
    return made
