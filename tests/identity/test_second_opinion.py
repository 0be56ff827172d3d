"""Somebody else's JOSE library as the provider, and as the judge of our own issuer.

joserfc shares no code with PyJWT, by which we verify, nor with the forge of the other tests. It
makes keys, a JWKS that is served over https, and access tokens in the form of RFC 9068.
"""

from __future__ import annotations

import json
import ssl
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, Key, KeySet, OctKey, OKPKey, RSAKey

from landbridge.errors import LandbridgeError
from landbridge.identity import keys as ours
from landbridge.identity.address import KeyAddress
from landbridge.identity.development import DevelopmentAuthority, DevelopmentIssuer
from landbridge.identity.fetch import Fetcher
from landbridge.identity.tokens import TokenVerifier
from landbridge.levels import Level

from .forge import AUDIENCE, ISSUER, NOW, Clock, claims
from .key_server import key_server, replying

MAKERS: dict[str, Callable[[], Key]] = {
    "EdDSA": lambda: OKPKey.generate_key("Ed25519", _terms("EdDSA"), auto_kid=True),
    "ES256": lambda: ECKey.generate_key("P-256", _terms("ES256"), auto_kid=True),
    "RS256": lambda: RSAKey.generate_key(2048, _terms("RS256"), auto_kid=True),
}


def _terms(algorithm: str) -> Any:
    return {"alg": algorithm, "use": "sig"}


def issue(key: Key, algorithm: str, head: dict[str, object] | None = None, **changes: Any) -> str:
    """An access token of the provider's."""
    header: dict[str, Any] = {"alg": algorithm, "kid": key.kid, "typ": "at+jwt", **(head or {})}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # RFC 9864 would have EdDSA called Ed25519
        return jwt.encode(header, claims(**changes), key, algorithms=[algorithm])


class Provider:
    """Keys of all three algorithms, served over https, and a verifier that fetches them."""

    def __init__(self, folder: Path) -> None:
        self.keys = {algorithm: make() for algorithm, make in MAKERS.items()}
        authority = DevelopmentAuthority.create(folder / "authority", "town")
        key, certificate = authority.certificate("issuer", ["127.0.0.1"])
        (folder / "tls.pem").write_bytes(key + certificate)
        (folder / "ca.pem").write_bytes(authority.ca_pem)
        self.ca = folder / "ca.pem"
        self.tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.tls.load_cert_chain(folder / "tls.pem")
        self.clock = Clock()

    @property
    def document(self) -> bytes:
        """Its JWKS, public parts only, as the library spells it."""
        return json.dumps(KeySet(list(self.keys.values())).as_dict(private=False)).encode()


@pytest.fixture
def provider(tmp_path: Path) -> Provider:
    """One that has just begun."""
    return Provider(tmp_path)


def said(verifier: TokenVerifier, token: str) -> str:
    """The reason of the refusal; the caller where there is none."""
    try:
        return verifier.verify(token).subject
    except LandbridgeError as refusal:
        return refusal.reason


def test_tokens_of_another_implementation_pass_and_its_rotation_is_followed(
    provider: Provider,
) -> None:
    """All algorithms; a new key that is served is found, an old one that is not is refused."""
    with key_server(replying(provider.document), provider.tls) as server:
        url = f"https://127.0.0.1:{server.port}/certs"
        address = KeyAddress(url, Fetcher(url, provider.ca), provider.clock)
        known = ours.KeySet(address, clock=provider.clock)
        verifier = TokenVerifier(ISSUER, AUDIENCE, known, clock=provider.clock)
        tokens = {name: issue(key, name) for name, key in provider.keys.items()}
        for token in tokens.values():
            caller = verifier.verify(token)
            assert (caller.subject, caller.organisation) == ("alice", "harbour-office")
            assert caller.clearance is Level.RESTRICTED
        earlier = provider.keys["ES256"]
        provider.keys["ES256"] = MAKERS["ES256"]()
        server.answer = replying(provider.document)
        renewed = issue(provider.keys["ES256"], "ES256")
        assert said(verifier, renewed) == "TOKEN_INVALID"  # not fetched while a caller waits
        provider.clock.now += 60
        assert address.fetch_if_due()
        known.renew()
        assert said(verifier, renewed) == "alice"
        assert said(verifier, tokens["ES256"]) == "TOKEN_INVALID"
        assert said(verifier, issue(earlier, "ES256")) == "TOKEN_INVALID"
        assert said(verifier, tokens["RS256"]) == "alice"


def test_what_another_implementation_can_spell_wrongly_is_refused(
    provider: Provider, tmp_path: Path
) -> None:
    """Its own idea of a token is wider than RFC 9068: no type, lists, another key's name, HMAC."""
    path = tmp_path / "jwks.json"
    path.write_bytes(provider.document)
    known = ours.KeySet.load(path, provider.clock)
    verifier = TokenVerifier(ISSUER, AUDIENCE, known, clock=provider.clock)
    ec, rsa = provider.keys["ES256"], provider.keys["RS256"]
    secret = OctKey.import_key(provider.document)  # of the PEM the library itself will not
    forged = {
        "its default type": issue(ec, "ES256", {"typ": "JWT"}),
        "another key's name": issue(ec, "ES256", {"kid": rsa.kid}),
        "HMAC with the public document": issue(secret, "HS256", {"kid": rsa.kid}),
        "a key of its own": issue(MAKERS["ES256"](), "ES256", {"kid": ec.kid}),
        "another issuer": issue(ec, "ES256", iss="https://elsewhere.example"),
    }
    assert {what: said(verifier, token) for what, token in forged.items()} == dict.fromkeys(
        forged, "TOKEN_INVALID"
    )
    for token in (issue(ec, "ES256", aud=[AUDIENCE]), issue(ec, "ES256", aud="other")):
        assert said(verifier, token) == "TOKEN_AUDIENCE"
    assert said(verifier, issue(ec, "ES256", iat=NOW - 7200, exp=NOW - 3600)) == "TOKEN_EXPIRED"
    assert said(verifier, issue(ec, "ES256")) == "alice"


def test_another_implementation_verifies_what_our_issuer_signs(tmp_path: Path) -> None:
    """Our development tokens are tokens, and our JWKS is one."""
    issuer = DevelopmentIssuer.create(tmp_path / "issuer", ISSUER, AUDIENCE)
    token = issuer.issue(
        "alice", organisation="o", clearance="open", purposes=["p"], now=float(NOW)
    )
    known = KeySet.import_key_set(json.loads((tmp_path / "issuer" / "jwks.json").read_bytes()))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = jwt.decode(token, known, algorithms=["EdDSA"])
        assert found.header["typ"] == "at+jwt"
        registry = jwt.JWTClaimsRegistry(
            now=NOW,
            iss={"essential": True, "value": ISSUER},
            aud={"essential": True, "value": AUDIENCE},
            exp={"essential": True},
        )
        registry.validate(found.claims)
        head, payload, signature = token.split(".")
        spoilt = f"{head}.{payload}.{signature[:-4]}AAAA"
        with pytest.raises(JoseError):
            jwt.decode(spoilt, known, algorithms=["EdDSA"])
