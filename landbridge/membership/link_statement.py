"""What the gateway signs in the rounds of a linked question, and how a department knows it again.

As `landbridge.membership.statement` for the requests of one department: the Ed25519 signature binds
method, department and moment to the canonical bytes of the whole request, so that no round can be
played by anybody else, to anybody else, or with another content. docs/linked.md has the bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, TypeVar

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from landbridge.errors import error
from landbridge.membership.canonical import NotCanonical, canonical_bytes, parts
from landbridge.membership.statement import LEEWAY, question_hash
from landbridge.v1 import link_pb2, membership_pb2

_LABEL: Final = b"landbridge link v1"

Asking = (
    link_pb2.LinkWeighRequest
    | link_pb2.LinkOpenRequest
    | link_pb2.LinkBeginRequest
    | link_pb2.LinkRepeatRequest
)
Rounds = (
    link_pb2.LinkShowRequest
    | link_pb2.LinkMatchRequest
    | link_pb2.LinkFetchRequest
    | link_pb2.LinkDealRequest
    | link_pb2.LinkDealtRequest
    | link_pb2.LinkTakeRequest
    | link_pb2.LinkMultiplyRequest
    | link_pb2.LinkTotalRequest
    | link_pb2.LinkRevealRequest
    | link_pb2.LinkKeepRequest
)
Request = Asking | Rounds
AnyRequest = TypeVar("AnyRequest", bound=Request)


def hash_of(question: link_pb2.LinkedQuestion, question_id: str) -> bytes:
    """The question hash that every envelope, seed and round is bound to; raises ValueError."""
    return question_hash(canonical_bytes(question), question_id)


def _statement(federation: str, department: str, request: Request, issued_at_ms: int) -> bytes:
    bare = type(request)()
    bare.CopyFrom(request)  # type: ignore[arg-type]  # of its own type
    _holder(bare).ClearField("signed")
    return parts(
        (
            _LABEL,
            federation.encode(),
            department.encode(),
            type(request).__name__.removeprefix("Link").removesuffix("Request").encode(),
            issued_at_ms.to_bytes(8, "big"),
            sha256(canonical_bytes(bare)).digest(),
        )
    )


def _holder(request: Request):  # type: ignore[no-untyped-def]  # of two message types
    if isinstance(request, Asking):
        return request.asking
    return request.round


@dataclass(frozen=True, slots=True)
class LinkSigner:
    """The gateway's side. `clock` gives seconds since 1970."""

    federation: str
    key: Ed25519PrivateKey
    clock: Callable[[], float]

    def sign(self, department: str, request: AnyRequest) -> AnyRequest:
        """The request, signed in its place for that department, now.

        Raises INVALID_ARGUMENT where it has no canonical bytes.
        """
        moment = int(self.clock() * 1000)
        try:
            said = _statement(self.federation, department, request, moment)
        except ValueError:
            raise error("INVALID_ARGUMENT", "The question cannot be signed.") from None
        _holder(request).signed.CopyFrom(
            membership_pb2.GatewaySignature(issued_at_ms=moment, signature=self.key.sign(said))
        )
        return request


@dataclass(frozen=True, slots=True)
class LinkVerifier:
    """The department's side: `key` gives the gateway's key that is pinned now."""

    federation: str
    department: str
    key: Callable[[], Ed25519PublicKey]
    clock: Callable[[], float]

    def require(self, request: Request) -> None:
        """Returns for what the gateway signed for this department within the leeway.

        Raises SIGNATURE_INVALID or SIGNATURE_EXPIRED.
        """
        signed = _holder(request).signed
        try:
            said = _statement(self.federation, self.department, request, signed.issued_at_ms)
            self.key().verify(signed.signature, said)
        except (InvalidSignature, NotCanonical, ValueError, OverflowError):
            raise error("SIGNATURE_INVALID") from None
        if abs(self.clock() - signed.issued_at_ms / 1000) > LEEWAY:
            raise error(
                "SIGNATURE_EXPIRED",
                hint="Set the clocks of gateway and departments; then ask again.",
            )
