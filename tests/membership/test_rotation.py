"""A server takes its new certificate while it runs; whoever is connected does not notice."""

from __future__ import annotations

import ssl
import time
from pathlib import Path

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from gateway.connection import Member, over_tls
from gateway.departments import Departments
from landbridge.edge.server import Tls, serve
from landbridge.identity.certificates import server_name
from landbridge.identity.development import DevelopmentAuthority
from landbridge.v1 import membership_pb2, membership_pb2_grpc


class _Ear(membership_pb2_grpc.MembersServicer):
    def Offer(  # noqa: N802 - gRPC's name
        self, request: membership_pb2.OfferRequest, context: grpc.ServicerContext
    ) -> membership_pb2.OfferResponse:
        del request, context
        return membership_pb2.OfferResponse(pinned=7)


def _north(
    place: Path,
) -> tuple[DevelopmentAuthority, str, bytes, bytes, ec.EllipticCurvePublicKey]:
    """An authority, and the name, key, certificate and public key of a server of its."""
    authority = DevelopmentAuthority.create(place / "authority", "town")
    name = server_name("north")
    key, first = authority.certificate("north", [name])
    public = x509.load_pem_x509_certificate(first).public_key()
    assert isinstance(public, ec.EllipticCurvePublicKey)
    return authority, name, key, first, public


def _serial(port: int) -> int:
    """Of the certificate that a new connection is shown."""
    shown = ssl.get_server_certificate(("127.0.0.1", port))
    return x509.load_pem_x509_certificate(shown.encode()).serial_number


def test_connections_opened_later_get_the_new_certificate_and_no_call_fails(
    tmp_path: Path,
) -> None:
    """Twenty rotations under one open connection and new ones; half a file changes nothing."""
    authority, name, key, first, public = _north(tmp_path)
    path = tmp_path / "tls.pem"
    path.write_bytes(first)
    running = serve(
        [lambda server: membership_pb2_grpc.add_MembersServicer_to_server(_Ear(), server)],
        address="127.0.0.1:0",
        tls=Tls(key, first, renewed=path.read_bytes),
        report=lambda _: pytest.fail("a defect was reported"),
        threads=2,
    )
    credentials = grpc.ssl_channel_credentials(authority.ca_pem)
    options = [("grpc.ssl_target_name_override", name)]
    target = f"127.0.0.1:{running.port}"
    shown, answered = set(), 0
    try:
        with grpc.secure_channel(target, credentials, options) as open_from_the_start:
            before = membership_pb2_grpc.MembersStub(open_from_the_start)
            for _ in range(20):
                renewed = authority.certify("north", [name], public)
                path.write_bytes(renewed)
                serial = _serial(running.port)
                assert serial == x509.load_pem_x509_certificate(renewed).serial_number
                shown.add(serial)
                with grpc.secure_channel(
                    target, credentials, [*options, ("grpc.use_local_subchannel_pool", 1)]
                ) as new:
                    after = membership_pb2_grpc.MembersStub(new)
                    for stub in (before, after):
                        answered += (
                            stub.Offer(membership_pb2.OfferRequest(), timeout=10).pinned == 7
                        )
            for spoilt in (b"", path.read_bytes()[:99], authority.ca_pem):
                path.write_bytes(spoilt)
                assert _serial(running.port) in shown
    finally:
        running.stop(0)
    assert (len(shown), answered) == (20, 40)


def test_a_node_whose_certificate_has_ended_is_asked_no_more_over_the_connection_it_opened(
    tmp_path: Path,
) -> None:
    """F25, I6: only a handshake looks at it, so connections are opened anew from time to time."""
    authority, name, key, _, public = _north(tmp_path)
    path = tmp_path / "tls.pem"
    path.write_bytes(authority.certify("north", [name], public, days_valid=4 / 86_400))
    ends = x509.load_pem_x509_certificate(path.read_bytes()).not_valid_after_utc.timestamp()
    running = serve(
        [lambda server: membership_pb2_grpc.add_MembersServicer_to_server(_Ear(), server)],
        address="127.0.0.1:0",
        tls=Tls(key, path.read_bytes(), renewed=path.read_bytes),
        report=lambda _: pytest.fail("a defect was reported"),
        threads=2,
    )
    connect = over_tls(grpc.ssl_channel_credentials(authority.ca_pem))
    member = Member("north", "North", f"127.0.0.1:{running.port}", name, ())
    departments = Departments([member], connect, pytest.fail)

    def answers() -> bool:
        """Whether the node's word is taken."""
        asked = departments.ask(
            ("north",), lambda stub: stub.ear.Offer, lambda _: membership_pb2.OfferRequest(), 5, ()
        )
        return bool(asked.replies)

    try:
        assert answers()
        time.sleep(max(0.0, ends - time.time()) + 1)
        assert answers()  # nobody has looked since
        departments.renew()
        assert answers()  # the connection is young
        departments.renew(age=0)
        assert not answers()
        path.write_bytes(authority.certify("north", [name], public))
        departments.renew(age=0)
        assert answers()
    finally:
        departments.close()
        running.stop(0)
