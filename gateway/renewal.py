"""Certificates of members, and the gateway's own, before they end.

Only a gateway with an authority of its own renews. It looks in at every member over the connection
that its questions go on, gives those that ask a certificate for the same key, and goes on using the
earlier connections, which no renewal touches.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import grpc
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from gateway.connection import Connection
from gateway.settings import Settings
from landbridge.edge.life import program
from landbridge.edge.record import Recorder
from landbridge.identity.certificates import read_member, server_name
from landbridge.identity.development import DevelopmentAuthority
from landbridge.identity.revocation import Revocations
from landbridge.membership.manifest import Manifest
from landbridge.membership.pinned import replace_durably
from landbridge.membership.renewal import Life, RenewalInvalid, RenewalRequest
from landbridge.status import from_rpc_error
from landbridge.v1 import renewal_pb2

SECONDS: Final = 5.0
"""For one call to a node."""
FIRST_WAIT: Final = 5.0
LONGEST_WAIT: Final = 600.0
"""Seconds after a refusal; twice as long after each further one."""
_DAY: Final = 86_400.0


class Renewals:
    """Renews for the members of one manifest. `lifetime` is in seconds, `clock` since 1970.

    `revocations` is the list that must not name the certificate that asks.
    """

    def __init__(
        self,
        federation: str,
        authority: DevelopmentAuthority,
        lifetime: float,
        revocations: Revocations | None,
        recorder: Recorder,
        tell: Callable[[str], None],
        clock: Callable[[], float],
    ) -> None:
        self._federation = federation
        self._authority = authority
        self._issuer = x509.load_pem_x509_certificate(authority.ca_pem)
        self._lifetime = lifetime
        self._revocations = revocations
        self._recorder = recorder
        self._tell = tell
        self._clock = clock
        self._next: dict[str, float] = {}
        self._complaints: dict[str, str] = {}
        self._waits: dict[str, float] = {}

    def go(self, manifest: Manifest, connections: Mapping[str, Connection]) -> None:
        """Looks in at everybody whose time it is; no member can make this fail."""
        now = self._clock()
        due = [name for name in connections if self._next.get(name, 0.0) <= now]
        calls = {
            name: connections[name].renewal.Apply.future(
                renewal_pb2.ApplyRequest(), timeout=SECONDS
            )
            for name in due
        }
        for name, call in calls.items():
            try:
                applied = call.result()
                if applied.certificate_request:
                    self._renew(name, applied, manifest, connections[name])
                self._next[name] = self._clock() + applied.wait_seconds
                self._complaints.pop(name, None)
                self._waits.pop(name, None)
            except RenewalInvalid as invalid:
                self._refuse(name, str(invalid))
            except grpc.RpcError as failure:
                said = from_rpc_error(failure)
                # That a node is away is said elsewhere; it is asked again at the next round.
                if said.status not in ("UNAVAILABLE", "DEADLINE_EXCEEDED"):
                    self._refuse(name, f"it does not take part: {said.reason}")
            except (grpc.FutureCancelledError, ValueError):
                continue  # its connection was closed meanwhile

    def _renew(
        self,
        name: str,
        applied: renewal_pb2.ApplyResponse,
        manifest: Manifest,
        connection: Connection,
    ) -> None:
        member = manifest.member(name)
        if member is None:
            raise RenewalInvalid("It is no member any more.")
        asked = RenewalRequest(applied.certificate, applied.certificate_request, applied.proof)
        now = self._clock()
        key = asked.key(self._federation, name, self._issuer, member.keys.signing, now)
        present = read_member(asked.certificate)
        if present is None or (
            self._revocations is not None
            and self._revocations.hold_certificate(present.fingerprint, present.serial, now)
        ):
            raise RenewalInvalid("The present certificate was revoked; the department joins anew.")
        renewed = self._authority.certify(
            name, (server_name(name),), key, self._lifetime / _DAY, now
        )
        # In the log before it exists for anybody else.
        self._note(name, f"certificate renewed until {Life.of(renewed).last_moment}")
        connection.renewal.Install(renewal_pb2.InstallRequest(certificate=renewed), timeout=SECONDS)

    def _refuse(self, name: str, why: str) -> None:
        """Told once per reason; asked again, later each time."""
        wait = min(LONGEST_WAIT, 2 * self._waits.get(name, FIRST_WAIT / 2))
        self._waits[name] = wait
        self._next[name] = self._clock() + wait
        if self._complaints.get(name) != why:
            self._recorder.event(
                "membership_change",
                program=program(),
                outcome="refused",
                reason="RENEWAL_REFUSED",
                members=[name],
                note=f"certificate not renewed: {why}",
            )
            self._complaints[name] = why
            self._tell(f"The certificate of department {name} is not renewed: {why}")

    def _note(self, name: str, what: str) -> None:
        self._recorder.event(
            "membership_change", program=program(), members=[name], note=f"{name}: {what}"
        )


class OwnCertificate:
    """The gateway's own certificate: renewed where its own authority made it, followed anyway."""

    def __init__(self, settings: Settings, authority: DevelopmentAuthority | None) -> None:
        self._settings = settings
        self._authority = authority
        self._shown = b""

    def renew(self, now: float) -> None:
        """Replaces it in the last third of its life, for the same names and key.

        Only where the gateway's authority issued the present one: another's is its operator's care.
        """
        settings, authority = self._settings, self._authority
        try:
            pem = settings.tls_certificate.read_bytes()
            present = x509.load_pem_x509_certificate(pem)
            own = serialization.load_pem_private_key(settings.tls_key.read_bytes(), None)
        except (OSError, ValueError):
            return  # being replaced by hand
        self._shown = self._shown or pem
        if authority is None or Life.of(pem).renews > now:
            return
        try:
            present.verify_directly_issued_by(x509.load_pem_x509_certificate(authority.ca_pem))
        except (InvalidSignature, ValueError, TypeError):
            return
        key = own.public_key()
        if key == present.public_key() and isinstance(key, ec.EllipticCurvePublicKey):
            days = settings.certificate_seconds / _DAY
            renewed = authority.certify(settings.name, _hosts(present), key, days, now)
            replace_durably(settings.tls_certificate, renewed)

    def follow(self, now: float) -> bytes | None:
        """The certificate to show to nodes from now on, where it is another than before."""
        self.renew(now)
        try:
            pem = self._settings.tls_certificate.read_bytes()
            found = x509.load_pem_x509_certificate(pem).public_key()
            own = serialization.load_pem_private_key(self._settings.tls_key.read_bytes(), None)
        except (OSError, ValueError):
            return None
        if pem == self._shown or found != own.public_key():
            return None
        self._shown = pem
        return pem


def _hosts(certificate: x509.Certificate) -> Sequence[str]:
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return [
        *names.get_values_for_type(x509.DNSName),
        *map(str, names.get_values_for_type(x509.IPAddress)),
    ]
