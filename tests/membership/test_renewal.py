"""Certificates renew by themselves before they end, and nobody who may not have one gets one."""

from __future__ import annotations

import ssl
import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway import app as gateway_app
from gateway import membership, refreshing
from gateway.connection import Connection
from gateway.renewal import LONGEST_WAIT, Renewals
from landbridge.edge.record import Recorder
from landbridge.errors import LandbridgeError
from landbridge.evidence import Entry, Log, Signer, SubjectKey
from landbridge.evidence.audit import verify_folder
from landbridge.identity.certificates import server_name
from landbridge.identity.development import DevelopmentAuthority
from landbridge.identity.revocation import Revocations
from landbridge.membership.keys import MemberKeys
from landbridge.membership.manifest import Manifest, MemberEntry
from landbridge.membership.renewal import (
    Life,
    RenewalInvalid,
    RenewalRequest,
    require_successor,
)
from landbridge.v1 import renewal_pb2
from nodes.renewal import Renewal
from tests.membership.town import Town, a_town, eventually, fail

NOW = 1_790_000_000.0
DAY = 86_400.0


def _serial(port: int) -> int:
    """Of the certificate that a new connection is shown."""
    shown = ssl.get_server_certificate(("127.0.0.1", port))
    return x509.load_pem_x509_certificate(shown.encode()).serial_number


def test_certificates_that_live_seconds_renew_under_load_without_one_failed_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Callers, gateway and node go on while both ends' certificates are replaced again and again.

    Requests on a connection that stays, and on one that is new each time; gateway to node they go
    over connections that were made with certificates which have ended since. A machine that is too
    slow to renew in the last third of seconds is given more of them.
    """
    monkeypatch.setattr(refreshing, "REFRESH_SECONDS", 0.1)
    for seconds in (8, 24, 72):
        place = tmp_path / str(seconds)
        place.mkdir()
        if _renewed_under_load(place, seconds):
            return
    pytest.fail("this machine renews nothing in 24 seconds")


def _renewed_under_load(tmp_path: Path, certificate_seconds: int) -> bool:
    """Whether every renewal came before the end that it was for; then all of it must hold."""
    with a_town(tmp_path, certificate_seconds=certificate_seconds) as town:
        town.join(town.code())
        town.load()
        node = town.start_node()
        try:
            eventually(lambda: town.reason(town.query) == "", "the new member is asked")
        except pytest.fail.Exception:
            return False
        stopping, failures, answered = threading.Event(), list[str](), list[int]()

        def load(*, anew: bool) -> None:
            count = 0
            with town.client() as kept:
                while not stopping.is_set():
                    reason = town.reason(lambda: town.query(None if anew else kept))
                    failures.extend([reason] if reason else [])
                    count += 1
            answered.append(count)

        threads = [threading.Thread(target=load, kwargs={"anew": anew}) for anew in (True, False)]
        seen: dict[int, set[int]] = {town.running.port: set(), node.port: set()}

        late = list[bool]()

        def renewed_twice() -> bool:
            for path in (town.node.tls_certificate, town.gateway.tls_certificate):
                late.append(time.time() > Life.of(path.read_bytes()).ends - 1)
            if any(late):
                return True
            for port, serials in seen.items():
                serials.add(_serial_of(town, port, serials))
            return all(len(serials) >= 3 for serials in seen.values())

        for thread in threads:
            thread.start()
        try:
            eventually(renewed_twice, "two renewals at both ends", 4.0 * certificate_seconds)
        finally:
            stopping.set()
            for thread in threads:
                thread.join()
        if any(late):
            return False
        assert failures == []
        assert min(answered) > 0
        assert town.node_told == []
        town.running.stop(0)
        noted = _notes(town.gateway.state / "log")
        assert sum("library: certificate renewed until" in note for note in noted) >= 2
        assert sum("gateway's own certificate is another" in note for note in noted) >= 2
        return True


def _serial_of(town: Town, port: int, known: set[int]) -> int:
    """As `_serial`; the node's port wants a certificate first, so there its file is read.

    At the gateway's the callers' own handshakes make the switch, and this one comes after it: gRPC
    lets go of the earlier certificate while another handshake may still be using it, and two in the
    instant of the switch have ended this process now and then.
    """
    at_gateway = port == town.running.port
    file = town.gateway.tls_certificate if at_gateway else town.node.tls_certificate
    kept = x509.load_pem_x509_certificate(file.read_bytes()).serial_number
    if not at_gateway or kept in known:
        return kept
    time.sleep(0.5)
    return _serial(port)


def _notes(folder: Path) -> list[str]:
    return [Entry.from_bytes(content).note for _, content in verify_folder(folder).entries()]


def test_a_gateway_that_was_away_when_it_was_time_renews_when_it_is_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The node tells its operator meanwhile, once; a gateway whose own is late renews it first."""
    monkeypatch.setattr(refreshing, "REFRESH_SECONDS", 0.1)
    monkeypatch.setattr("nodes.following.SECONDS", 0.1)
    for seconds in (8, 24, 72):
        place = tmp_path / str(seconds)
        place.mkdir()
        if _renewed_after_an_absence(place, seconds):
            return
    pytest.fail("this machine renews nothing in 12 seconds")


def _renewed_after_an_absence(tmp_path: Path, certificate_seconds: int) -> bool:
    """Whether the gateway was back before the end; then all of it must hold."""
    with a_town(tmp_path, certificate_seconds=certificate_seconds) as town:
        town.join(town.code())
        first = Life.of(town.node.tls_certificate.read_bytes())
        town.running.stop(0)
        town.start_node()
        eventually(lambda: bool(town.node_told), "the operator is told", 2.0 * certificate_seconds)
        town.running = gateway_app.start(town.gateway, fail, town.told.append)
        end = first.ends - 1
        while Life.of(town.node.tls_certificate.read_bytes()).ends == first.ends:
            if time.time() > end:
                return False
            time.sleep(0.02)
        (said,) = town.node_told
        assert "has not renewed it: is the gateway running" in said
        town.nodes.pop().stop(0)
        assert any(said in note for note in _notes(town.node.state / "log"))
        return True


@dataclass
class Two:
    """A gateway's renewals and a node's certificate, face to face, on a clock that is set."""

    folder: Path
    authority: DevelopmentAuthority
    keys: MemberKeys
    recorder: Recorder
    log: Log
    now: float = NOW

    def __post_init__(self) -> None:
        self.told: list[str] = []
        key = ec.generate_private_key(ec.SECP256R1())
        self.key = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        self.certificate = self.folder / "tls.pem"
        (self.folder / "authority.pem").write_bytes(self.authority.ca_pem)
        self.certificate.write_bytes(
            self.authority.certify("library", [server_name("library")], key.public_key(), 30, NOW)
        )
        entry = MemberEntry(
            "library", "L", "x:1", server_name("library"), ("loans",), (), "log", self.keys.public
        )
        self.manifest = Manifest(
            "town", 2, "gateway", Ed25519PrivateKey.generate().public_key(), (entry,)
        )
        self.node = self.at_node(self.keys.signing)
        self.gateway = self.at_gateway(None)

    def clock(self) -> float:
        """The time that both have."""
        return self.now

    def at_node(self, signing: Ed25519PrivateKey) -> Renewal:
        """The node's side, with that signing key."""
        return Renewal(
            "town", "library", self.certificate, self.folder / "authority.pem", self.key, signing,
            self.recorder, self.told.append, self.clock,
        )  # fmt: skip

    def at_gateway(self, revocations: Revocations | None) -> Renewals:
        """The gateway's side, with that list."""
        return Renewals(
            "town", self.authority, 30 * DAY, revocations, self.recorder, self.told.append,
            self.clock,
        )  # fmt: skip

    def round(self, manifest: Manifest | None = None) -> Life:
        """One round of the gateway's; the life that the node's certificate has after it."""
        self.gateway.go(manifest or self.manifest, {"library": cast(Connection, _Wire(self))})
        return Life.of(self.certificate.read_bytes())


class _Wire:
    """Hands messages over without a socket."""

    def __init__(self, two: Two) -> None:
        self._two = two
        self.renewal = SimpleNamespace(
            Apply=SimpleNamespace(future=self._apply), Install=self._install
        )

    def _apply(self, _: Any, timeout: float) -> Any:
        del timeout
        wait, asked = self._two.node.apply()
        if asked is None:
            said = renewal_pb2.ApplyResponse(wait_seconds=wait)
        else:
            said = renewal_pb2.ApplyResponse(
                certificate=asked.certificate,
                certificate_request=asked.request,
                proof=asked.proof,
            )
        return SimpleNamespace(result=lambda: said)

    def _install(self, request: renewal_pb2.InstallRequest, timeout: float) -> None:
        del timeout
        self._two.node.install(request.certificate)


@pytest.fixture
def two(tmp_path: Path) -> Any:
    """Both sides, and the log that they share here."""
    authority = DevelopmentAuthority.create(tmp_path / "authority", "town", NOW)
    log = Log.open(tmp_path / "log", tmp_path / "journal", Signer.create("town/x"))
    with log:
        recorder = Recorder(log, SubjectKey.create(), "0" * 64, lambda: NOW)
        yield Two(tmp_path, authority, MemberKeys.create(), recorder, log)


def test_nothing_happens_before_the_last_third_and_a_year_of_renewals_after(two: Two) -> None:
    """The key stays, and no operator is told anything."""
    first = Life.of(two.certificate.read_bytes())
    public = x509.load_pem_x509_certificate(two.certificate.read_bytes()).public_key()
    two.now = first.renews - 1
    assert two.round() == first
    for _ in range(365):
        two.now += DAY
        assert two.round().ends > two.now + 9 * DAY
        two.node.look()
    assert x509.load_pem_x509_certificate(two.certificate.read_bytes()).public_key() == public
    assert two.told == []


def test_an_expired_certificate_gets_one_clear_sentence_and_no_other_certificate(two: Two) -> None:
    """Whoever was away for too long joins anew, which two people confirm."""
    ended = Life.of(two.certificate.read_bytes())
    two.now = ended.ends
    for _ in range(3):
        two.node.look()
        assert two.round() == ended
    node, gateway = two.told
    assert "join code" in node
    assert "`landbridge node join`" in node
    assert gateway.endswith("has ended; the department joins anew.")


def test_who_is_no_member_any_more_is_renewed_nothing(two: Two) -> None:
    """Revoked between its request and our answer."""
    two.now += 25 * DAY
    before = two.round(replace(two.manifest, members=()))
    assert before == Life.of(two.certificate.read_bytes())
    assert two.told == [
        "The certificate of department library is not renewed: It is no member any more."
    ]


def test_a_revoked_certificate_is_renewed_into_no_other(two: Two, tmp_path: Path) -> None:
    """By its fingerprint or its serial number, in the list that callers' tokens are on too."""
    certificate = x509.load_pem_x509_certificate(two.certificate.read_bytes())
    two.now += 25 * DAY
    before = Life.of(two.certificate.read_bytes())
    for name in (_fingerprint(certificate), f"{certificate.serial_number:x}"):
        path = tmp_path / f"{len(name)}.json"
        path.write_text(
            f'{{"revoked":[{{"certificate":"{name}","reason":"stolen",'
            '"until":"9999-12-31T00:00:00Z"}]}'
        )
        two.told.clear()
        two.gateway = two.at_gateway(Revocations.load(path))
        assert two.round() == before
        assert "was revoked" in two.told[0]


def _fingerprint(certificate: x509.Certificate) -> str:
    from hashlib import sha256

    return sha256(certificate.public_bytes(serialization.Encoding.DER)).hexdigest()


def test_the_tls_key_alone_is_renewed_nothing(two: Two) -> None:
    """A thief of certificate and TLS key lacks the signing key, which the manifest lists."""
    two.now += 25 * DAY
    before = Life.of(two.certificate.read_bytes())
    two.node = two.at_node(Ed25519PrivateKey.generate())
    assert two.round() == before
    assert "not signed by this member's keys" in two.told[0]
    for _ in range(40):  # asked again ever later, told once
        two.now += LONGEST_WAIT / 40
        two.round()
    assert len(two.told) == 1


def _made(two: Two, **changes: Any) -> RenewalRequest:
    key = serialization.load_pem_private_key(changes.get("key", two.key), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return RenewalRequest.make(
        changes.get("federation", "town"),
        changes.get("department", "library"),
        changes.get("certificate", two.certificate.read_bytes()),
        key,
        two.keys.signing,
    )


def test_a_request_counts_for_its_own_certificate_key_and_member_alone(two: Two) -> None:
    """Signed by the right member every time, and about something else."""
    issuer = x509.load_pem_x509_certificate(two.authority.ca_pem)
    signing = two.keys.signing.public_key()
    other_key, other = two.authority.certificate("health", ["health"], 30, NOW)
    foreign = DevelopmentAuthority.create(two.folder / "foreign", "town", NOW)
    mine = serialization.load_pem_private_key(two.key, None).public_key()
    assert isinstance(mine, ec.EllipticCurvePublicKey)
    good = _made(two)
    assert good.key("town", "library", issuer, signing, NOW) == mine
    spoilt: dict[str, RenewalRequest] = {
        "another member's certificate": _made(two, certificate=other, key=other_key),
        "another key": _made(two, key=other_key),
        "another authority": _made(
            two, certificate=foreign.certify("library", ["l"], mine, 30, NOW)
        ),
        "for another department": _made(two, department="health"),
        "for another federation": _made(two, federation="city"),
        "another certificate than signed": replace(good, certificate=other),
        "another request than signed": replace(good, request=_made(two, key=other_key).request),
        "no proof": replace(good, proof=b""),
        "no certificate": replace(good, certificate=b"x"),
    }
    for what, request in spoilt.items():
        with pytest.raises(RenewalInvalid):
            request.key("town", "library", issuer, signing, NOW)
            pytest.fail(what)
    for late in (31 * DAY, -DAY):
        with pytest.raises(RenewalInvalid, match="ended"):
            good.key("town", "library", issuer, signing, NOW + late)


def test_a_node_installs_only_what_may_follow_its_own(two: Two) -> None:
    """A gateway that was taken over cannot swap it for another's, a shorter or a foreign one."""
    present = two.certificate.read_bytes()
    key = x509.load_pem_x509_certificate(present).public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    other = ec.generate_private_key(ec.SECP256R1()).public_key()
    foreign = DevelopmentAuthority.create(two.folder / "foreign", "town", NOW)
    later = NOW + DAY

    def certified(
        member: str = "library", public: ec.EllipticCurvePublicKey = key, days: float = 30,
        by: DevelopmentAuthority = two.authority,
    ) -> bytes:  # fmt: skip
        return by.certify(member, ["l"], public, days, later)

    spoilt: dict[str, bytes] = {
        "another member's": certified("health"),
        "another key's": certified(public=other),
        "another authority's": certified(by=foreign),
        "one that ends earlier": certified(days=3),
        "no certificate": b"x",
    }
    two.now = later
    for renewed in spoilt.values():
        with pytest.raises(LandbridgeError) as refused:
            two.node.install(renewed)
        assert refused.value.reason == "RENEWAL_REFUSED"
    assert two.certificate.read_bytes() == present
    two.node.install(certified())
    assert two.certificate.read_bytes() != present
    with pytest.raises(RenewalInvalid):
        require_successor(present, present, two.authority.ca_pem, "town", "library", NOW)


def test_a_revoked_member_is_not_looked_in_at(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """Out of the manifest is out of the connections, over which alone a renewal can come."""
    monkeypatch.setattr(refreshing, "REFRESH_SECONDS", 0.05)
    town.running.hurry()
    town.join(town.code())
    town.start_node()
    eventually(lambda: "library" in town.running._departments.connections, "it is connected")
    membership.revoke(town.gateway, "library", time.time)
    eventually(lambda: not town.running._departments.connections, "it is let go of")
