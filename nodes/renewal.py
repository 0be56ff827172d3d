"""The node's certificate: renewed by the gateway when it comes, missed aloud when it does not.

Connections run from the gateway to the nodes only, so the node does not go for its certificate: the
gateway looks in every few seconds, and is told when it is time. The key stays.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import grpc
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from landbridge.edge.life import program
from landbridge.edge.record import Recorder
from landbridge.errors import error
from landbridge.membership.pinned import replace_durably
from landbridge.membership.renewal import Life, RenewalInvalid, RenewalRequest, require_successor
from landbridge.v1 import renewal_pb2, renewal_pb2_grpc
from nodes.convert import refuse_unknown_fields

LONGEST_WAIT: Final = 3_600
"""Seconds after which the gateway looks in again at the latest."""


class Renewal:
    """One node's certificate, at `certificate`; `key` is its key, `signing` the member's own."""

    def __init__(
        self,
        federation: str,
        department: str,
        certificate: Path,
        authority: Path,
        key: bytes,
        signing: Ed25519PrivateKey,
        recorder: Recorder,
        tell: Callable[[str], None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._federation = federation
        self._department = department
        self._certificate = certificate
        self._authority = authority
        self._key = key
        self._signing = signing
        self._recorder = recorder
        self._tell = tell
        self._clock = clock
        self._told = (0.0, "")

    def apply(self) -> tuple[int, RenewalRequest | None]:
        """Seconds until it is worth asking again, and what is asked for now, if anything is."""
        present = self._certificate.read_bytes()
        wait = Life.of(present).renews - self._clock()
        if wait > 0:
            return min(LONGEST_WAIT, int(wait) + 1), None
        key = serialization.load_pem_private_key(self._key, None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            return LONGEST_WAIT, None  # made by an authority of the operator's own
        return 0, RenewalRequest.make(
            self._federation, self._department, present, key, self._signing
        )

    def install(self, renewed: bytes) -> None:
        """Later connections are shown it; raises RENEWAL_REFUSED for one that was not asked for."""
        try:
            require_successor(
                renewed,
                self._certificate.read_bytes(),
                self._authority.read_bytes(),
                self._federation,
                self._department,
                self._clock(),
            )
        except RenewalInvalid as invalid:
            raise error("RENEWAL_REFUSED", str(invalid)) from None
        until = Life.of(renewed).last_moment
        self._note(f"the certificate is renewed until {until}")
        replace_durably(self._certificate, renewed)

    def look(self) -> None:
        """Tells the operator, and the log, once that no renewal came and once that it is over."""
        try:
            life = Life.of(self._certificate.read_bytes())
        except (OSError, ValueError):
            return  # being replaced by hand; what is served is the earlier one
        now = self._clock()
        if now >= life.ends:
            said = (
                f"The certificate of {self._department} ended on {life.last_moment}: ask the "
                "gateway's operator for a join code and run `landbridge node join`."
            )
        elif now >= life.overdue:
            said = (
                f"The certificate of {self._department} ends on {life.last_moment} and the gateway "
                "has not renewed it: is the gateway running, is this department still a member?"
            )
        else:
            return
        if self._told != (life.ends, said):
            self._note(said)
            self._told = (life.ends, said)
            self._tell(said)

    def _note(self, what: str) -> None:
        self._recorder.event(
            "membership_change", program=program(), members=[self._department], note=what
        )


class RenewalServicer(renewal_pb2_grpc.RenewalServicer):
    """For the gateway alone: `admit` raises for everybody else."""

    def __init__(
        self, admit: Callable[[grpc.ServicerContext], None], renewal: Renewal, recorder: Recorder
    ) -> None:
        self._admit = admit
        self._renewal = renewal
        self._recorder = recorder

    def Apply(
        self, request: renewal_pb2.ApplyRequest, context: grpc.ServicerContext
    ) -> renewal_pb2.ApplyResponse:
        """What the node asks for now."""
        self._admit(context)
        refuse_unknown_fields(request)
        wait, asked = self._renewal.apply()
        if asked is None:
            return renewal_pb2.ApplyResponse(wait_seconds=wait)
        return renewal_pb2.ApplyResponse(
            certificate=asked.certificate, certificate_request=asked.request, proof=asked.proof
        )

    def Install(
        self, request: renewal_pb2.InstallRequest, context: grpc.ServicerContext
    ) -> renewal_pb2.InstallResponse:
        """Takes what was asked for."""
        self._admit(context)
        with self._recorder.check("membership_change"):
            refuse_unknown_fields(request)
            self._renewal.install(request.certificate)
        return renewal_pb2.InstallResponse()
