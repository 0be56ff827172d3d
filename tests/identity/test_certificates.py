"""Attacks on the way that members recognise each other."""

from __future__ import annotations

import hashlib
import ssl
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given, settings
from hypothesis import strategies as st

from landbridge.errors import LandbridgeError, Unauthenticated
from landbridge.identity.certificates import Peer, identity, peer, require_peer
from landbridge.identity.development import DevelopmentAuthority

KEY = ec.generate_private_key(ec.SECP256R1())


def context(*certificates: bytes) -> dict[str, list[bytes]]:
    """What gRPC shows of a peer with those certificates."""
    return {
        "transport_security_type": [b"ssl"],
        "x509_common_name": [b"gateway"],
        "x509_pem_cert": list(certificates),
    }


def certificate(*names: x509.GeneralName, common_name: str = "gateway") -> bytes:
    """A certificate with exactly those alternative names; TLS, not we, checks who signed it."""
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, common_name)])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(KEY.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=1))
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(KEY, SHA256()).public_bytes(Encoding.PEM)


def uri(text: str) -> x509.UniformResourceIdentifier:
    """A URI name, whatever it holds."""
    return x509.UniformResourceIdentifier(text)


SOUND = ssl.PEM_cert_to_DER_cert(certificate(uri("landbridge://islands/gateway")).decode())


def assert_unknown(auth_context: Mapping[str, Iterable[bytes]]) -> None:
    """Refused as a stranger, without a cause behind."""
    with pytest.raises(Unauthenticated) as caught:
        peer(auth_context)
    assert caught.value.reason == "PEER_UNKNOWN"
    assert caught.value.__context__ is None


def member(pem: bytes) -> Peer:
    """The gateway of the islands, by that certificate."""
    found = x509.load_pem_x509_certificate(pem)
    fingerprint = hashlib.sha256(found.public_bytes(Encoding.DER)).hexdigest()
    ends = found.not_valid_after_utc.timestamp()
    return Peer("gateway", fingerprint, "islands", f"{found.serial_number:x}", ends)


def test_our_certificate_names_its_member() -> None:
    """The positive control; other kinds of names beside the one URI do not disturb."""
    pem = certificate(x509.DNSName("localhost"), uri("landbridge://islands/gateway"))
    expected = member(pem)
    assert peer(context(pem)) == expected
    assert require_peer(context(pem), "gateway") == expected
    assert require_peer(context(pem), "gateway", "islands") == expected


@pytest.mark.parametrize(
    "written",
    [
        "landbridge://islands",
        "landbridge://islands/",
        "landbridge:///gateway",
        "landbridge://islands/gateway/",
        "landbridge://islands/gateway/x",
        "landbridge://islands//gateway",
        "landbridge://islands/gateway?x",
        "landbridge://islands/gateway#x",
        "landbridge://user@islands/gateway",
        "landbridge://islands:1/gateway",
        "landbridge://islands/Gateway",
        "LANDBRIDGE://islands/gateway",
        "landbridge://islands/gate%77ay",
        "landbridge://islands/..",
        "landbridge://islands/-gateway",
        "landbridge://islands/gateway\n",
        "landbridge://islands/gateway\0",
        " landbridge://islands/gateway",
        "landbridge://islands/" + "g" * 64,
        "spiffe://islands/gateway",
        "https://islands/gateway",
        "gateway",
        "",
    ],
)
def test_another_uri_is_no_identity(written: str) -> None:
    """Names have one spelling; nothing is decoded, folded, trimmed or resolved."""
    assert_unknown(context(certificate(uri(written))))


@pytest.mark.parametrize(
    "names",
    [
        [],
        [x509.DNSName("gateway")],
        [x509.DNSName("landbridge://islands/gateway")],
        [x509.RFC822Name("gateway@islands.example")],
        [uri("landbridge://islands/gateway"), uri("landbridge://islands/gateway")],
        [uri("landbridge://islands/health"), uri("landbridge://islands/gateway")],
        [uri("landbridge://islands/gateway"), uri("https://islands.example")],
    ],
)
def test_exactly_one_uri_and_nothing_else_names_a_member(names: list[x509.GeneralName]) -> None:
    """Attack 94: a common name, a DNS name, or a choice of two identities."""
    assert_unknown(context(certificate(*names)))


@pytest.mark.parametrize("member", ["health", "gateway2", "gatewa", "gateway.", "gateway-x"])
def test_another_member_is_not_the_gateway(member: str) -> None:
    """Attack 94: a valid certificate of department B at node A, common name forged or not."""
    pem = certificate(uri(f"landbridge://islands/{member}"), common_name="gateway")
    with pytest.raises(Unauthenticated) as caught:
        require_peer(context(pem), "gateway")
    assert caught.value.reason == "PEER_UNKNOWN"


def test_a_gateway_of_another_federation_is_not_ours() -> None:
    """Attack 94: two federations under one authority must not answer each other."""
    pem = certificate(uri("landbridge://volcanoes/gateway"))
    with pytest.raises(Unauthenticated):
        require_peer(context(pem), "gateway", "islands")


def test_without_one_tls_certificate_there_is_no_peer() -> None:
    """Plain connections, other transports, several certificates, and what is no certificate."""
    pem = certificate(uri("landbridge://islands/gateway"))
    assert_unknown({})
    assert_unknown({"transport_security_type": [b"ssl"], "x509_common_name": [b"gateway"]})
    assert_unknown(context(pem) | {"transport_security_type": [b"insecure"]})
    assert_unknown(context(pem) | {"transport_security_type": [b"ssl", b"local"]})
    assert_unknown(context())
    assert_unknown(context(pem, pem))
    for broken in (b"", b"landbridge://islands/gateway", pem[:-60], pem.replace(b"M", b"N", 3)):
        assert_unknown(context(broken))


@pytest.mark.parametrize(
    ("sound", "damaged"),
    [
        (b"\x55\x1d\x0e", b"\x55\x1d\x11"),  # a second list of alternative names
        (b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x07"),  # X.509 version 8
    ],
)
def test_an_ambiguous_certificate_is_no_identity(
    tmp_path: Path, sound: bytes, damaged: bytes
) -> None:
    """Two readers could take different names from it; the library has its own errors for these."""
    _, pem = DevelopmentAuthority.create(tmp_path, "islands").certificate("gateway", [])
    der = ssl.PEM_cert_to_DER_cert(pem.decode())
    assert der.count(sound) == 1
    assert_unknown(context(ssl.DER_cert_to_PEM_cert(der.replace(sound, damaged)).encode()))


# The library warns of some damage that it will refuse in a later version.
@pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")
@settings(deadline=None)
@given(data=st.data())
def test_no_damaged_certificate_makes_it_fall_over(data: st.DataObject) -> None:
    """Whatever the bytes, a member's name or PEER_UNKNOWN; TLS has judged the signature before."""
    der = bytearray(SOUND)
    for place in data.draw(st.lists(st.integers(0, 10_000), min_size=1, max_size=4)):
        der[place % len(der)] = data.draw(st.integers(0, 255))
    with suppress(LandbridgeError):
        assert peer(context(ssl.DER_cert_to_PEM_cert(bytes(der)).encode())).name


@pytest.mark.parametrize("name", ["", "A", "a b", "a/b", "-a", "a-", ".", "é", "a" * 64, "a\n"])
def test_a_name_that_no_certificate_can_hold_is_refused_when_it_is_made(name: str) -> None:
    """Otherwise a federation would start and its members not recognise each other."""
    for federation, member in ((name, "gateway"), ("islands", name)):
        with pytest.raises(ValueError, match=r"cannot stand in a certificate; use 1 to 63"):
            identity(federation, member)


@contextmanager
def serving(authority: DevelopmentAuthority, seen: list[dict[str, list[bytes]]]) -> Iterator[int]:
    """A real gRPC server on loopback that demands certificates of that authority; its port."""

    def note(_: bytes, call: Any) -> bytes:
        seen.append({name: list(values) for name, values in call.auth_context().items()})
        return b"ok"

    handler = grpc.method_handlers_generic_handler(
        "test.Probe", {"Ask": grpc.unary_unary_rpc_method_handler(note)}
    )
    server = grpc.server(ThreadPoolExecutor(1), handlers=[handler])
    port = server.add_secure_port(
        "127.0.0.1:0",
        grpc.ssl_server_credentials(
            [authority.certificate("health", ["localhost", "127.0.0.1"])],
            root_certificates=authority.ca_pem,
            require_client_auth=True,
        ),
    )
    server.start()
    try:
        yield port
    finally:
        server.stop(None).wait()


def ask(port: int, trusted: DevelopmentAuthority, pair: tuple[bytes, bytes]) -> bytes:
    """One call with that key and certificate; it fails fast where the handshake does."""
    credentials = grpc.ssl_channel_credentials(trusted.ca_pem, *pair)
    with grpc.secure_channel(f"127.0.0.1:{port}", credentials) as channel:
        probe: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary("/test.Probe/Ask")
        return probe(b"", timeout=30)


def test_grpc_shows_the_peer_as_we_read_it(tmp_path: Path) -> None:
    """The form of auth_context is gRPC's own; here it is the real one, over real mutual TLS."""
    authority = DevelopmentAuthority.create(tmp_path, "islands")
    pair = authority.certificate("gateway", ["localhost"])
    seen: list[dict[str, list[bytes]]] = []
    with serving(authority, seen) as port:
        assert ask(port, authority, pair) == b"ok"
    assert require_peer(seen[0], "gateway", "islands") == member(pair[1])


def test_a_stranger_and_an_expired_member_do_not_get_in(tmp_path: Path) -> None:
    """Attack 94: same names under another authority, and yesterday's certificate."""
    authority = DevelopmentAuthority.create(tmp_path / "ours", "islands")
    stranger = DevelopmentAuthority.create(tmp_path / "theirs", "islands")
    last_year = datetime.now(UTC).timestamp() - 365 * 86_400
    seen: list[dict[str, list[bytes]]] = []
    with serving(authority, seen) as port:
        for pair in (
            stranger.certificate("gateway", ["localhost"]),
            authority.certificate("gateway", ["localhost"], days_valid=1, now=last_year),
        ):
            with pytest.raises(grpc.RpcError):
                ask(port, authority, pair)
    assert seen == []
