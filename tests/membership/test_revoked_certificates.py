"""A revoked certificate counts for nothing from the next request on, on connections open before."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from gateway import app as gateway_app
from gateway import refreshing
from gateway.membership import own_authority
from landbridge.edge.server import Tls, serve
from landbridge.errors import LandbridgeError
from landbridge.evidence.audit import verify_folder
from landbridge.evidence.entry import Entry
from landbridge.identity.certificates import Admission, Peer, server_name
from landbridge.identity.development import DevelopmentAuthority
from landbridge.identity.revocation import Revocations, read_revocations
from landbridge.status import from_rpc_error
from landbridge.v1 import membership_pb2, membership_pb2_grpc
from tests.membership.town import a_town, eventually, fail


def revoke(path: Path, *names: str) -> None:
    """Renames a complete new list into place."""
    entries = [
        {"certificate": name, "reason": "stolen", "until": "9999-12-31T00:00:00Z"} for name in names
    ]
    new = path.with_suffix(".new")
    new.write_text(json.dumps({"revoked": entries}))
    new.replace(path)


def names_of(pem: bytes) -> tuple[str, str]:
    """Fingerprint and serial number, by other means than ours."""
    certificate = x509.load_pem_x509_certificate(pem)
    der = certificate.public_bytes(Encoding.DER)
    return sha256(der).hexdigest(), f"{certificate.serial_number:x}"


class _Ear(membership_pb2_grpc.MembersServicer):
    """Admits as a node does."""

    def __init__(self, admission: Admission) -> None:
        self._admission = admission

    def Offer(  # noqa: N802 - gRPC's name
        self, request: membership_pb2.OfferRequest, context: grpc.ServicerContext
    ) -> membership_pb2.OfferResponse:
        """Answers whoever is let in."""
        del request
        self._admission.require(context.auth_context())  # type: ignore[arg-type]
        return membership_pb2.OfferResponse(pinned=7)


class Door:
    """A server that lets the gateway in, with one connection to it that stays open."""

    def __init__(self, folder: Path) -> None:
        self.authority = DevelopmentAuthority.create(folder / "authority", "town")
        self.list = folder / "revoked.json"
        revoke(self.list)
        self.now = time.time()
        self.looked = 0.0
        self.revocations = Revocations.load(self.list, lambda: self.looked)
        key, certificate = self.authority.certificate("north", [server_name("north")])
        self.server = serve(
            [partial_ear(Admission("gateway", "town", self._revoked, lambda: self.now))],
            address="127.0.0.1:0",
            tls=Tls(key, certificate, self.authority.ca_pem),
            report=fail,
            threads=2,
        )
        self.key, self.shown = self.authority.certificate("gateway", ["gateway"])
        self.open = self.connect(self.key, self.shown)

    def _revoked(self, peer: Peer, now: float) -> bool:
        self.looked += 1  # each look is of a second of its own
        return self.revocations.hold_certificate(peer.fingerprint, peer.serial, now)

    def connect(self, key: bytes, certificate: bytes) -> grpc.Channel:
        """A connection of its own."""
        return grpc.secure_channel(
            f"127.0.0.1:{self.server.port}",
            grpc.ssl_channel_credentials(self.authority.ca_pem, key, certificate),
            [
                ("grpc.ssl_target_name_override", server_name("north")),
                ("grpc.use_local_subchannel_pool", 1),
            ],
        )

    def ask(self, channel: grpc.Channel | None = None) -> str:
        """The reason of the refusal; empty for an answer."""
        try:
            membership_pb2_grpc.MembersStub(channel or self.open).Offer(
                membership_pb2.OfferRequest(), timeout=10
            )
        except grpc.RpcError as failure:
            return from_rpc_error(failure).reason
        return ""


def partial_ear(admission: Admission) -> Callable[[grpc.Server], None]:
    """Registers the ear."""

    def register(server: grpc.Server) -> None:
        membership_pb2_grpc.add_MembersServicer_to_server(_Ear(admission), server)

    return register


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Door]:
    """One that is open."""
    made = Door(tmp_path)
    yield made
    made.open.close()
    made.server.stop(0)


@pytest.mark.parametrize("by", [0, 1], ids=["fingerprint", "serial"])
def test_an_open_connection_is_refused_at_its_next_request(door: Door, by: int) -> None:
    """And so is a new one; another certificate of the same member passes, and so does the first
    one again once the list lets it.
    """
    assert door.ask() == ""
    revoke(door.list, names_of(door.shown)[by])
    assert door.ask() == "CERTIFICATE_REVOKED"
    with door.connect(door.key, door.shown) as anew:
        assert door.ask(anew) == "CERTIFICATE_REVOKED"
    with door.connect(*door.authority.certificate("gateway", ["gateway"])) as another:
        assert door.ask(another) == ""
    revoke(door.list)
    assert door.ask() == ""


def test_a_certificate_that_ends_on_an_open_connection_is_refused_there(door: Door) -> None:
    """TLS would never look again."""
    ends = x509.load_pem_x509_certificate(door.shown).not_valid_after_utc.timestamp()
    door.now = ends - 1
    assert door.ask() == ""
    door.now = ends
    assert door.ask() == "CERTIFICATE_ENDED"


def test_an_unusable_list_lets_nobody_in_after_its_hour(door: Door) -> None:
    """Fails closed: nobody knows who would have been on it."""
    door.list.write_text("{")
    assert door.ask() == ""
    door.looked += 3600
    assert door.ask() == "CERTIFICATE_REVOKED"


@pytest.mark.parametrize("name", ["AB" * 32, "0a", "ab:cd", "a" * 41, "a" * 63, "", "x", 7])
def test_a_mistyped_certificate_is_not_taken_for_one_that_may_go_on(name: object) -> None:
    """Upper case and colons, as other programs print them, would match nothing."""
    entry = {"certificate": name, "reason": "r", "until": "2027-01-31T00:00:00Z"}
    with pytest.raises(ValueError, match="entry 1"):
        read_revocations(json.dumps({"revoked": [entry]}).encode(), "list")


def test_a_member_that_shows_a_revoked_certificate_is_asked_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Real gateway and node: cut off while the connection is open, asked again with another one."""
    monkeypatch.setattr(refreshing, "REFRESH_SECONDS", 0.1)
    path = tmp_path / "revoked.json"
    revoke(path)
    with a_town(tmp_path) as town:
        town.running.stop(0)
        trust = replace(town.gateway.trust, revoked=path)
        town.gateway = replace(town.gateway, trust=trust)
        town.running = gateway_app.start(town.gateway, fail, town.told.append)
        town.join(town.code())
        town.start_node()
        eventually(lambda: town.reason(town.explain) == "", "the new member is asked")
        with town.client() as kept:
            revoke(path, names_of(town.node.tls_certificate.read_bytes())[0])
            eventually(
                lambda: town.reason(lambda: town.explain(kept)) == "DEPARTMENT_MISSING",
                "it is cut off",
            )
            assert any("shows a revoked certificate" in said for said in town.told)
            # The operators make the department another certificate; its server takes it by itself.
            authority = own_authority(town.gateway)
            assert authority is not None
            present = x509.load_pem_x509_certificate(town.node.tls_certificate.read_bytes())
            renewed = authority.certify(
                "library",
                [server_name("library")],
                present.public_key(),  # type: ignore[arg-type]
            )
            town.node.tls_certificate.write_bytes(renewed)
            eventually(lambda: town.reason(lambda: town.explain(kept)) == "", "it is asked again")
        town.running.stop(0)
        entries = verify_folder(town.gateway.state / "log").entries()
        notes = [Entry.from_bytes(content).note for _, content in entries]
        assert sum("shows a revoked certificate" in note for note in notes) == 1
        assert sum("shows another certificate" in note for note in notes) == 1


def test_a_gateway_whose_certificate_is_revoked_gets_no_answer_from_a_running_node(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The department's own list decides, on the connection that questions come on."""
    monkeypatch.setattr(refreshing, "REFRESH_SECONDS", 0.1)
    path = tmp_path / "revoked.json"
    revoke(path)
    with a_town(tmp_path) as town:
        town.node = replace(town.node, trust=replace(town.node.trust, revoked=path))
        town.running.hurry()
        town.join(town.code())
        town.start_node()
        eventually(lambda: town.reason(town.explain) == "", "the new member is asked")
        with town.client() as kept:
            revoke(path, names_of(town.gateway.tls_certificate.read_bytes())[1])
            eventually(
                lambda: town.reason(lambda: town.explain(kept)) == "CERTIFICATE_REVOKED",
                "it is refused",
            )
        town.nodes.pop().stop(0)
        entries = verify_folder(town.node.state / "log").entries()
        reasons = {Entry.from_bytes(content).reason for _, content in entries}
        assert "CERTIFICATE_REVOKED" in reasons


def test_revocation_is_judged_at_the_moment_of_the_request() -> None:
    """Until means until."""
    name = "ab" * 32
    entry = {"certificate": name, "reason": "r", "until": "2027-01-31T00:00:00Z"}

    class Source:
        name, interval, age = "list", 1.0, 0.0

        def read(self) -> bytes:
            return json.dumps({"revoked": [entry]}).encode()

        def hurry(self) -> None:
            raise NotImplementedError

    found = Revocations(Source())
    end = 1_801_353_600.0
    assert found.hold_certificate(name, "", end - 1)
    assert not found.hold_certificate(name, "", end)
    with pytest.raises(LandbridgeError):
        Admission("gateway", "town", lambda *_: True).require({})
