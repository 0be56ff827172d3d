"""A token that is bound to a certificate (RFC 8705): over real TLS, on both ports."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from landbridge import connect
from landbridge.edge.server import Running, Tls, serve
from landbridge.errors import LandbridgeError
from landbridge.identity.bearer import bearer_token
from landbridge.identity.certificates import Presented, presented
from landbridge.identity.development import DevelopmentAuthority
from landbridge.identity.keys import KeySet
from landbridge.identity.revocation import Revocations
from landbridge.identity.tokens import TokenVerifier
from landbridge.v1 import gateway_pb2, gateway_pb2_grpc

from .forge import AUDIENCE, ISSUER, NOW, Clock, Signer, b64, token, write_jwks
from .refusal import assert_refused

LONG = 20_000.0
"""Days: the verifier's clock is another one than TLS looks at."""
# RFC 8705, section 3.1: the claim of its example.
RFC_8705 = "bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2"


def print_of(pem: bytes) -> bytes:
    """SHA-256 of the DER, by other means than ours."""
    return hashlib.sha256(x509.load_pem_x509_certificate(pem).public_bytes(Encoding.DER)).digest()


class Front(gateway_pb2_grpc.GatewayServicer):
    """Identifies the caller as the gateway does, and says nothing more."""

    def __init__(self, verifier: TokenVerifier) -> None:
        self._verifier = verifier

    def Directory(  # noqa: N802 - gRPC's own spelling
        self, request: gateway_pb2.DirectoryRequest, context: grpc.ServicerContext
    ) -> gateway_pb2.DirectoryResponse:
        """Answers whoever is known."""
        del request
        certificate = presented(cast(Mapping[str, Iterable[bytes]], context.auth_context()))
        self._verifier.verify(bearer_token(cast(Any, context.invocation_metadata())), certificate)
        return gateway_pb2.DirectoryResponse()

    def Query(self, request: Any, context: Any) -> gateway_pb2.QueryResponse:  # noqa: N802
        """Nobody asks."""
        raise NotImplementedError

    def Explain(self, request: Any, context: Any) -> gateway_pb2.ExplainResponse:  # noqa: N802
        """Nobody asks."""
        raise NotImplementedError

    def Call(self, request: Any, context: Any) -> gateway_pb2.CallResponse:  # noqa: N802
        """Nobody asks."""
        raise NotImplementedError


@dataclass
class Ports:
    """A plain and a mutual port of one server, and two callers with certificates."""

    running: Running
    ca: bytes
    alice: tuple[bytes, bytes]
    bob: tuple[bytes, bytes]
    stranger: tuple[bytes, bytes]

    def ask(self, made: str, certificate: tuple[bytes, bytes] | None, *, mutual: bool) -> str:
        """The reason of the refusal; empty for an answer."""
        address = f"localhost:{self.running.ports[1 if mutual else 0]}"
        with connect(address, token=made, ca=self.ca, certificate=certificate, timeout=5) as client:
            try:
                client.directory()
            except LandbridgeError as refusal:
                return refusal.reason
        return ""


@pytest.fixture
def ports(verifier: TokenVerifier, tmp_path: Path) -> Iterator[Ports]:
    """Both ports, on loopback."""
    authority = DevelopmentAuthority.create(tmp_path / "ca", "town")
    callers = DevelopmentAuthority.create(tmp_path / "callers", "callers")
    other = DevelopmentAuthority.create(tmp_path / "other", "callers")
    key, certificate = authority.certificate("gateway", ["localhost"])
    running = serve(
        [lambda server: gateway_pb2_grpc.add_GatewayServicer_to_server(Front(verifier), server)],
        address="localhost:0",
        tls=Tls(key, certificate),
        others=[("localhost:0", Tls(key, certificate, callers.ca_pem))],
        report=lambda defect: None,  # noqa: ARG005 - none is expected
        threads=4,
    )
    yield Ports(
        running,
        authority.ca_pem,
        *(
            each.certificate(name, [], LONG)
            for each, name in (
                (callers, "alice"),
                (callers, "bob"),
                (other, "alice"),
            )
        ),
    )
    running.stop(1)


def test_a_bound_token_passes_with_its_certificate_alone(ports: Ports, ed: Signer) -> None:
    """Attack 92: alice's token over bob's connection, over the plain port, and over a stranger's.

    The plain port asks for no certificate, so that a client that has one does not show it there.
    """
    bound = token(ed, cnf={"x5t#S256": b64(print_of(ports.alice[1]))})
    assert ports.ask(bound, ports.alice, mutual=True) == ""
    assert ports.ask(bound, ports.bob, mutual=True) == "TOKEN_BOUND"
    assert ports.ask(bound, None, mutual=False) == "TOKEN_BOUND"
    assert ports.ask(bound, ports.alice, mutual=False) == "TOKEN_BOUND"
    assert ports.ask(token(ed), None, mutual=False) == ""
    assert ports.ask(token(ed), ports.bob, mutual=True) == ""


def test_the_mutual_port_is_for_certificates_of_its_authority(ports: Ports, ed: Signer) -> None:
    """Neither nobody's certificate nor a stranger's gets as far as a token."""
    for shown in (None, ports.stranger):
        assert ports.ask(token(ed), shown, mutual=True) not in {"", "TOKEN_BOUND"}


@pytest.mark.parametrize(
    "confirmation",
    [
        RFC_8705,
        [],
        {},
        {"jkt": RFC_8705},
        {"x5t#S256": RFC_8705, "jkt": RFC_8705},
        {"x5t#S256": RFC_8705 + "="},
        {"x5t#S256": "AAAA"},
        {"x5t#S256": ""},
        {"x5t#S256": 7},
        {"x5t#S256": [RFC_8705]},
    ],
)
def test_a_binding_that_cannot_be_checked_is_refused(
    verifier: TokenVerifier, ed: Signer, confirmation: object
) -> None:
    """RFC 7800: what we do not understand of a confirmation must not be passed over."""
    assert_refused(verifier, token(ed, cnf=confirmation))


def test_a_binding_is_held_also_for_a_known_token(verifier: TokenVerifier, ed: Signer) -> None:
    """To be remembered is no certificate; the node is told which one it was."""
    bound = token(ed, cnf={"x5t#S256": b64(bytes(32))}, exp=NOW + 60)
    assert verifier.verify(bound, Presented("00" * 32)).certificate == "00" * 32
    assert_refused(verifier, bound, "TOKEN_BOUND")
    assert verifier.verify_passed_on(bound).certificate == "00" * 32


def test_a_callers_revoked_certificate_is_refused_at_the_next_request(
    clock: Clock, ed: Signer, tmp_path: Path
) -> None:
    """Its token and its connection are as good as before; the certificate alone is on the list."""
    path, name = tmp_path / "revoked.json", "ab" * 32
    path.write_text('{"revoked": []}')
    looked = iter(range(10))
    revocations = Revocations.load(path, lambda: float(next(looked)))
    keys = KeySet.load(write_jwks(tmp_path / "jwks.json", ed), clock)
    verifier = TokenVerifier(ISSUER, AUDIENCE, keys, clock, revocations=revocations)
    bearer = token(ed)
    assert verifier.verify(bearer, Presented(name)).subject == "alice"
    path.write_text(
        f'{{"revoked": [{{"certificate": "{name}", "reason": "lost", '
        '"until": "9999-12-31T00:00:00Z"}]}'
    )
    with pytest.raises(LandbridgeError) as refused:
        verifier.verify(bearer, Presented(name))
    assert refused.value.reason == "CERTIFICATE_REVOKED"
    assert verifier.verify(bearer, Presented("cd" * 32)).subject == "alice"
    assert verifier.verify(bearer).subject == "alice"


def test_a_callers_certificate_that_has_ended_is_refused_on_the_connection_that_it_opened(
    clock: Clock, verifier: TokenVerifier, ed: Signer
) -> None:
    """TLS never looks again; a clock that is put back afterwards makes it good for as long."""
    bearer = token(ed, exp=NOW + 3_600)
    kept = Presented("ab" * 32, ends=NOW + 60)
    assert verifier.verify(bearer, kept).subject == "alice"
    clock.now = NOW + 60
    with pytest.raises(LandbridgeError) as refused:
        verifier.verify(bearer, kept)
    assert refused.value.reason == "CERTIFICATE_ENDED"
    assert verifier.verify(bearer).subject == "alice"
    clock.now = NOW + 59
    assert verifier.verify(bearer, kept).subject == "alice"
