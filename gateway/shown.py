"""Which certificate a member's server shows, looked at by a handshake of our own.

gRPC for Python tells a client nothing of the certificate that a server showed. So where the list
names certificates, the gateway looks for itself, with the same trust and under the same name, and
lets go of a member that shows a revoked one.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Collection
from typing import Final

from gateway.connection import Member
from gateway.departments import Departments
from gateway.settings import Settings
from landbridge.edge.life import program
from landbridge.edge.record import Recorder
from landbridge.identity.certificates import Peer, read_member
from landbridge.identity.revocation import Revocations

SECONDS: Final = 3.0
"""For one handshake."""

Show = Callable[[Member], Peer | None]
"""The member that a server's certificate names; None where nothing could be seen."""


def over_tls(settings: Settings) -> Show:
    """A handshake with the files that the settings name, as they are at that moment."""

    def show(member: Member) -> Peer | None:
        host, _, port = member.address.rpartition(":")
        try:
            context = ssl.create_default_context(cafile=str(settings.tls_authority))
            context.load_cert_chain(settings.tls_certificate, settings.tls_key)
            with (
                socket.create_connection((host.strip("[]"), int(port)), SECONDS) as connection,
                context.wrap_socket(connection, server_hostname=member.name) as secured,
            ):
                der = secured.getpeercert(binary_form=True)
        except (OSError, ValueError):
            return None
        return None if der is None else read_member(ssl.DER_cert_to_PEM_cert(der).encode())

    return show


class Shown:
    """Cuts off who shows a revoked certificate, until they show another."""

    def __init__(
        self,
        revocations: Revocations,
        departments: Departments,
        show: Show,
        recorder: Recorder,
        tell: Callable[[str], None],
        clock: Callable[[], float],
    ) -> None:
        self._revocations = revocations
        self._departments = departments
        self._show = show
        self._recorder = recorder
        self._tell = tell
        self._clock = clock
        self._cut: frozenset[str] = frozenset()

    def look(self, members: Collection[Member]) -> None:
        """One look at everybody, while the list names certificates at all."""
        if not self._revocations.certificates and not self._cut:
            return
        self._cut &= {member.department for member in members}
        revoked = set()
        for member in members:
            found = self._show(member)
            # Who shows nothing now stays what they were: silence proves no new certificate.
            held = (
                member.department in self._cut
                if found is None
                else self._revocations.hold_certificate(
                    found.fingerprint, found.serial, self._clock()
                )
            )
            if held:
                revoked.add(member.department)
        newly, again = revoked - self._cut, self._cut - revoked
        # First of all, whatever becomes of the log: a question carries its caller's token.
        self._cut = frozenset(revoked)
        self._departments.cut(self._cut)
        for name in sorted(newly):
            said = f"department {name} shows a revoked certificate and is asked no more"
            self._tell(f"{said}; it joins anew, or brings another certificate.")
            self._note(name, said)
        for name in sorted(again):
            said = f"department {name} shows another certificate and is asked again"
            self._tell(f"{said}.")
            self._note(name, said)

    def _note(self, name: str, what: str) -> None:
        self._recorder.event("membership_change", program=program(), members=[name], note=what)
