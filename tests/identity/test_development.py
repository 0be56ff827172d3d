"""The development authority and issuer: what they make, and how they keep their keys."""

from __future__ import annotations

import ipaddress
import json
import os
import stat
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID

from landbridge.identity import development
from landbridge.identity.caller import Caller
from landbridge.identity.development import DevelopmentAuthority, DevelopmentIssuer
from landbridge.identity.keys import KeySet
from landbridge.identity.tokens import TokenVerifier
from landbridge.levels import Level

from .forge import AUDIENCE, ISSUER, NOW, Clock
from .refusal import assert_refused


@pytest.fixture
def permissive_umask() -> Iterator[None]:
    """A umask that takes nothing away, as some containers have."""
    before = os.umask(0)
    yield
    os.umask(before)


def test_an_issued_token_is_accepted_as_it_was_meant(tmp_path: Path) -> None:
    """Issuer, key file and verifier fit together without any further word."""
    clock = Clock()
    issuer = DevelopmentIssuer.create(tmp_path, ISSUER, AUDIENCE)
    verifier = TokenVerifier(ISSUER, AUDIENCE, KeySet.load(tmp_path / "jwks.json"), clock)
    issued = issuer.issue(
        "alice",
        organisation="harbour-office",
        clearance=Level.INTERNAL,
        purposes={"planning"},
        lifetime=60,
        now=NOW,
    )
    caller = verifier.verify(issued)
    assert caller == Caller(
        "alice",
        "harbour-office",
        "cli",
        Level.INTERNAL,
        frozenset({"planning"}),
        caller.token_id,
        NOW + 60,
    )
    clock.now = NOW + 90
    assert_refused(verifier, issued, "TOKEN_EXPIRED")


def test_a_loaded_issuer_goes_on_with_the_same_key(tmp_path: Path) -> None:
    """A restarted demonstration must not invalidate the tokens in people's notebooks."""
    DevelopmentIssuer.create(tmp_path, ISSUER, AUDIENCE)
    keys = KeySet.load(tmp_path / "jwks.json")
    issuer = DevelopmentIssuer.load(tmp_path)
    issued = [
        issuer.issue("a", organisation="o", clearance="open", purposes=["p"]) for _ in range(2)
    ]
    callers = [TokenVerifier(ISSUER, AUDIENCE, keys).verify(token) for token in issued]
    assert callers[0].token_id != callers[1].token_id
    assert (issuer.issuer, issuer.audience) == (ISSUER, AUDIENCE)


def test_the_issuer_refuses_to_misunderstand(tmp_path: Path) -> None:
    """One text as purposes would be read letter by letter; an unknown level is a typing error."""
    issuer = DevelopmentIssuer.create(tmp_path, ISSUER, AUDIENCE)
    with pytest.raises(TypeError, match="purposes"):
        issuer.issue("a", organisation="o", clearance="open", purposes="planning")
    with pytest.raises(ValueError, match="the levels are open"):
        issuer.issue("a", organisation="o", clearance="top", purposes=[])
    with pytest.raises(TypeError, match="hosts"):
        DevelopmentAuthority.create(tmp_path, "islands").certificate("gateway", "localhost")


def test_the_published_set_holds_no_private_key(tmp_path: Path) -> None:
    """The key file is what everybody may read."""
    DevelopmentIssuer.create(tmp_path, ISSUER, AUDIENCE)
    entry = json.loads((tmp_path / "jwks.json").read_text())["keys"][0]
    assert entry.keys() == {"kty", "crv", "x", "kid", "alg", "use"}


@pytest.mark.usefixtures("permissive_umask")
def test_private_keys_are_private_from_their_first_moment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Mode 0600 in the very call that creates the file: nobody can open it in between."""
    born: dict[str, int] = {}
    real_open = os.open

    def watched(path: Path, flags: int, mode: int = 0o777) -> int:
        descriptor = real_open(path, flags, mode)
        born[Path(path).name] = stat.S_IMODE(os.fstat(descriptor).st_mode)
        return descriptor

    monkeypatch.setattr(os, "open", watched)
    DevelopmentAuthority.create(tmp_path, "islands")
    DevelopmentIssuer.create(tmp_path, ISSUER, AUDIENCE)
    assert born == {"development-ca.key.pem": 0o600, "development-issuer.key.pem": 0o600}
    private = [path for path in tmp_path.iterdir() if b"PRIVATE" in path.read_bytes()]
    assert {path.name: stat.S_IMODE(path.stat().st_mode) for path in private} == born


def test_a_strange_umask_still_leaves_the_owner_in(tmp_path: Path) -> None:
    """Mode 0600 always, also where the umask would have left 0000."""
    before = os.umask(0o777)
    try:
        development.write_private(tmp_path / "key", b"x")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600


def test_nothing_is_overwritten_or_followed(tmp_path: Path) -> None:
    """A second create would lock everybody out; a planted link would give the key away."""
    DevelopmentAuthority.create(tmp_path, "islands")
    DevelopmentIssuer.create(tmp_path, ISSUER, AUDIENCE)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(FileExistsError, match=r"development-ca\.key\.pem exists; load it"):
        DevelopmentAuthority.create(tmp_path, "islands")
    with pytest.raises(FileExistsError, match=r"development-issuer\.key\.pem exists; load it"):
        DevelopmentIssuer.create(tmp_path, ISSUER, AUDIENCE)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before
    planted = tmp_path / "planted"
    planted.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FileExistsError):
        development.write_private(planted, b"x")
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o777])
def test_a_key_that_others_can_read_is_not_loaded(tmp_path: Path, mode: int) -> None:
    """Whoever copied the key can certify and issue what they like."""
    DevelopmentAuthority.create(tmp_path, "islands")
    DevelopmentIssuer.create(tmp_path, ISSUER, AUDIENCE)
    (tmp_path / "development-ca.key.pem").chmod(mode)
    (tmp_path / "development-issuer.key.pem").chmod(mode)
    with pytest.raises(PermissionError, match="set its mode to 0600"):
        DevelopmentAuthority.load(tmp_path)
    with pytest.raises(PermissionError, match="set its mode to 0600"):
        DevelopmentIssuer.load(tmp_path)


def test_a_folder_that_holds_something_else_is_not_loaded(tmp_path: Path) -> None:
    """Keys and certificates of two authorities mixed up would fail only at the first handshake."""
    DevelopmentAuthority.create(tmp_path / "a", "islands")
    DevelopmentAuthority.create(tmp_path / "b", "islands")
    (tmp_path / "a/development-ca.pem").write_bytes(
        (tmp_path / "b/development-ca.pem").read_bytes()
    )
    with pytest.raises(ValueError, match="holds no development authority"):
        DevelopmentAuthority.load(tmp_path / "a")
    with pytest.raises(FileNotFoundError):
        DevelopmentIssuer.load(tmp_path / "a")


def test_a_certificate_says_who_where_and_for_how_long(tmp_path: Path) -> None:
    """Every field that a TLS library, or we, rely on."""
    made = DevelopmentAuthority.create(tmp_path, "islands", now=NOW)
    authority = DevelopmentAuthority.load(tmp_path)
    assert (authority.federation, authority.ca_pem) == ("islands", made.ca_pem)
    key_pem, pem = authority.certificate(
        "gateway", ["localhost", "127.0.0.1", "::1"], days_valid=7, now=NOW
    )
    certificate = x509.load_pem_x509_certificate(pem)
    root = x509.load_pem_x509_certificate(authority.ca_pem)
    certificate.verify_directly_issued_by(root)
    key = load_pem_private_key(key_pem, None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    assert key.curve.name == "secp256r1"
    assert key.public_key() == certificate.public_key()

    now = datetime.fromtimestamp(NOW, UTC)
    assert certificate.not_valid_before_utc == now - timedelta(minutes=5)
    assert certificate.not_valid_after_utc == now + timedelta(days=7)

    extensions = certificate.extensions
    names = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.UniformResourceIdentifier) == [
        "landbridge://islands/gateway"
    ]
    assert names.get_values_for_type(x509.DNSName) == ["localhost"]
    assert names.get_values_for_type(x509.IPAddress) == [
        ipaddress.ip_address("127.0.0.1"),
        ipaddress.ip_address("::1"),
    ]
    assert set(extensions.get_extension_for_class(x509.ExtendedKeyUsage).value) == {
        ExtendedKeyUsageOID.SERVER_AUTH,
        ExtendedKeyUsageOID.CLIENT_AUTH,
    }
    assert not extensions.get_extension_for_class(x509.BasicConstraints).value.ca


def test_a_member_cannot_certify_others(tmp_path: Path) -> None:
    """Only the authority is one, and it certifies no further authorities."""
    authority = DevelopmentAuthority.create(tmp_path, "islands")
    root = x509.load_pem_x509_certificate(authority.ca_pem).extensions
    constraints = root.get_extension_for_class(x509.BasicConstraints)
    assert constraints.critical
    assert constraints.value == x509.BasicConstraints(ca=True, path_length=0)
    assert root.get_extension_for_class(x509.KeyUsage).value.key_cert_sign
    _, pem = authority.certificate("health", [])
    member = x509.load_pem_x509_certificate(pem).extensions
    assert not member.get_extension_for_class(x509.KeyUsage).value.key_cert_sign


def test_everything_is_marked_as_development(tmp_path: Path) -> None:
    """Nobody who meets these in the wild may take them for production."""
    authority = DevelopmentAuthority.create(tmp_path, "islands")
    DevelopmentIssuer.create(tmp_path, ISSUER, AUDIENCE)
    assert (
        "DEVELOPMENT" in x509.load_pem_x509_certificate(authority.ca_pem).subject.rfc4514_string()
    )
    private = [path.name for path in tmp_path.iterdir() if b"PRIVATE" in path.read_bytes()]
    assert len(private) == 2
    assert all(name.startswith("development-") for name in private)
    assert "PRIVATE" not in repr(authority)


def test_names_that_no_certificate_can_hold_leave_nothing_behind(tmp_path: Path) -> None:
    """Refused before any file is written, so that the next attempt does not trip over it."""
    with pytest.raises(ValueError, match="federation name"):
        DevelopmentAuthority.create(tmp_path / "new", "City of Islands")
    assert not (tmp_path / "new").exists()
    with pytest.raises(ValueError, match="member name"):
        DevelopmentAuthority.create(tmp_path, "islands").certificate("Health Office", [])
