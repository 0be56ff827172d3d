"""The gateway's face for departments that want to join; everybody can reach it."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Final

import grpc
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from gateway.register import ADMITTED, REJECTED, Register, RegisterRefuses
from landbridge.edge.record import Recorder
from landbridge.errors import error
from landbridge.membership.application import Application
from landbridge.v1 import enrolment_pb2, enrolment_pb2_grpc

FAILURES: Final = 10
"""Refused applications in `WINDOW` seconds, after which nobody is heard for the rest of it."""
WINDOW: Final = 60.0

_STATES: Final = {
    ADMITTED: enrolment_pb2.JoinResponse.STATE_ADMITTED,
    REJECTED: enrolment_pb2.JoinResponse.STATE_REJECTED,
}


class EnrolmentServicer(enrolment_pb2_grpc.EnrolmentServicer):
    """`authority` is the PEM certificate that codes name; `clock` any seconds."""

    def __init__(
        self,
        register: Register,
        authority: bytes,
        manifest: Path,
        recorder: Recorder,
        clock: Callable[[], float],
    ) -> None:
        self._register = register
        self._authority = authority_fingerprint(authority)
        self._manifest = manifest
        self._recorder = recorder
        self._clock = clock
        self._lock = threading.Lock()
        self._failures: deque[float] = deque(maxlen=FAILURES)

    def Join(
        self, request: enrolment_pb2.JoinRequest, context: grpc.ServicerContext
    ) -> enrolment_pb2.JoinResponse:
        """Takes an application, or says what became of it."""
        del context
        self._admit()
        application = Application(request.entry, request.certificate_request, request.proof)
        with self._recorder.check("membership_change"):
            try:
                found = self._register.apply(application, self._authority)
            except RegisterRefuses as refused:
                with self._lock:
                    self._failures.append(self._clock())
                raise error("JOIN_REFUSED", str(refused)) from None
        state = _STATES.get(found.state, enrolment_pb2.JoinResponse.STATE_WAITING)
        if found.state != ADMITTED:
            return enrolment_pb2.JoinResponse(state=state)
        return enrolment_pb2.JoinResponse(
            state=state, certificate=found.certificate, manifest=self._manifest.read_bytes()
        )

    def _admit(self) -> None:
        with self._lock:
            full = len(self._failures) == FAILURES
            if full and self._clock() - self._failures[0] < WINDOW:
                raise error("TOO_BUSY", "Too many applications were refused; try in a minute.")


def authority_fingerprint(pem: bytes) -> str:
    """SHA-256 of the certificate's DER bytes, hex."""
    return sha256(x509.load_pem_x509_certificate(pem).public_bytes(Encoding.DER)).hexdigest()
