"""The node's ear for the gateway's manifest: pinned, kept for its operator, or refused."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import cast

import grpc

from landbridge.edge.life import program
from landbridge.edge.record import Recorder
from landbridge.errors import error
from landbridge.identity.certificates import Admission
from landbridge.membership.acceptance import Change
from landbridge.membership.manifest import Manifest, ManifestInvalid
from landbridge.membership.pinned import Accepted, Pinned
from landbridge.v1 import membership_pb2, membership_pb2_grpc


class MembersServicer(membership_pb2_grpc.MembersServicer):
    """`admission` is who may speak to it: the gateway."""

    def __init__(self, admission: Admission, pinned: Pinned, recorder: Recorder) -> None:
        self._admission = admission
        self._pinned = pinned
        self._recorder = recorder

    def Offer(
        self, request: membership_pb2.OfferRequest, context: grpc.ServicerContext
    ) -> membership_pb2.OfferResponse:
        """Takes a manifest that may follow the pinned one."""
        with self._recorder.check("refused_login"):
            self._admission.require(cast(Mapping[str, Iterable[bytes]], context.auth_context()))
        with self._recorder.check("membership_change"):
            try:
                offered = self._pinned.offer(request.manifest)
            except ManifestInvalid as invalid:
                raise error("MANIFEST_REFUSED", str(invalid)) from None
        return membership_pb2.OfferResponse(pinned=offered.pinned, waiting=offered.waiting)


def logged(recorder: Recorder) -> Accepted:
    """Writes an entry of kind membership before a change of the pin counts."""

    def accepted(manifest: Manifest, changes: tuple[Change, ...]) -> None:
        words = "; ".join(f"{change.department} {change.what}" for change in changes)
        recorder.event(
            "membership_change",
            program=program(),
            changed=sorted({f"{change.verb} member:{change.department}" for change in changes}),
            members=sorted({change.department for change in changes}),
            note=f"manifest {manifest.version}: {words or 'nothing changes'}"[:8_000],
        )

    return accepted
