"""What a gateway signs when it asks a department, and how the department knows it again.

A caller's token travels through the gateway, so a token alone cannot say which question it was
sent with. The gateway's Ed25519 signature binds token, purpose, question, price, members and
moment to one department: neither a stolen token nor an altered question is asked by anybody but
the gateway, and the gateway cannot ask without a token. docs/members.md spells the bytes out.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Final, TypeVar

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from landbridge.errors import error
from landbridge.membership.canonical import (
    NotCanonical,
    canonical_fields,
    parts,
    remembered_bytes,
)
from landbridge.v1 import (
    batch_pb2,
    census_pb2,
    consult_pb2,
    group_pb2,
    membership_pb2,
    node_pb2,
    pooled_pb2,
    portal_pb2,
    step_pb2,
    submission_pb2,
    watch_pb2,
)

_LABEL: Final = b"landbridge asking v1"
LEEWAY: Final = 120.0
"""Seconds that the clocks of gateway and node may differ, with the way between them."""

Consulting = (
    consult_pb2.ConsultRequest
    | consult_pb2.FollowRequest
    | consult_pb2.RespondRequest
    | consult_pb2.AnswerGrantedRequest
    | consult_pb2.ReplyGrantedRequest
)
Tally = (
    census_pb2.TallyTermsRequest
    | census_pb2.TallyTakeRequest
    | census_pb2.TallyOfferRequest
    | census_pb2.TallyCheckRequest
    | census_pb2.TallySettleRequest
    | census_pb2.TallyCloseRequest
    | census_pb2.TallyTotalRequest
    | census_pb2.TallyConfirmRequest
)
Submitting = submission_pb2.DescribeIntakeRequest | submission_pb2.IntakeOpening
Grouping = (
    group_pb2.MembershipRequest | group_pb2.DescribeGroupRequest | group_pb2.ReadNoticesRequest
)
Watching = watch_pb2.StandRequest | watch_pb2.EvaluateRequest | watch_pb2.EndRequest
Request = (
    node_pb2.AnswerRequest
    | node_pb2.EstimateRequest
    | node_pb2.ReplyRequest
    | pooled_pb2.PoolRequest
    | pooled_pb2.EstimatePoolRequest
    | batch_pb2.ReplyManyRequest
    | step_pb2.TakeRequest
    | portal_pb2.SubjectAccessListRequest
    | Consulting
    | Tally
    | Submitting
    | Watching
    | Grouping
)
AnyRequest = TypeVar(
    "AnyRequest",
    node_pb2.AnswerRequest,
    node_pb2.EstimateRequest,
    node_pb2.ReplyRequest,
    pooled_pb2.PoolRequest,
    pooled_pb2.EstimatePoolRequest,
    consult_pb2.ConsultRequest,
    consult_pb2.FollowRequest,
    consult_pb2.RespondRequest,
    consult_pb2.AnswerGrantedRequest,
    consult_pb2.ReplyGrantedRequest,
    batch_pb2.ReplyManyRequest,
    step_pb2.TakeRequest,
    portal_pb2.SubjectAccessListRequest,
    census_pb2.TallyTermsRequest,
    census_pb2.TallyTakeRequest,
    census_pb2.TallyOfferRequest,
    census_pb2.TallyCheckRequest,
    census_pb2.TallySettleRequest,
    census_pb2.TallyCloseRequest,
    census_pb2.TallyTotalRequest,
    census_pb2.TallyConfirmRequest,
    submission_pb2.DescribeIntakeRequest,
    submission_pb2.IntakeOpening,
    watch_pb2.StandRequest,
    watch_pb2.EvaluateRequest,
    watch_pb2.EndRequest,
    group_pb2.MembershipRequest,
    group_pb2.DescribeGroupRequest,
    group_pb2.ReadNoticesRequest,
)


@dataclass(frozen=True, slots=True)
class Statement:
    """One request to one department, at one moment.

    `subject` is the question hash, for a handler the hash of name and arguments, about a
    consultation, a measurement or a watch that of all that is said beside who asks; `request` the
    hash of the whole request without its signature, so that a field that is added to it is signed
    from its first day.
    """

    federation: str
    department: str
    method: str
    token: bytes
    purpose: str
    question_id: str
    subject: bytes
    micro_epsilon: int
    members: tuple[str, ...]
    issued_at_ms: int
    request: bytes

    def to_bytes(self) -> bytes:
        """What is signed."""
        return parts(
            (
                _LABEL,
                self.federation.encode(),
                self.department.encode(),
                self.method.encode(),
                self.token,
                self.purpose.encode(),
                self.question_id.encode(),
                self.subject,
                self.micro_epsilon.to_bytes(8, "big"),
                parts(member.encode() for member in self.members),
                self.issued_at_ms.to_bytes(8, "big"),
                self.request,
            )
        )


def question_hash(question: bytes, question_id: str) -> bytes:
    """SHA-256 over canonical bytes and the 16 bytes of the question id; raises ValueError."""
    identifier = bytes.fromhex(question_id)
    if len(identifier) != 16:
        raise ValueError("A question id has 16 bytes.")
    return sha256(question + identifier).digest()


def statement(federation: str, department: str, request: Request, issued_at_ms: int) -> Statement:
    """The statement of that request; raises ValueError where there is none."""
    asking = request.asking
    # Two requests differ in who asks and when; the question is often the same.
    written = canonical_fields(request, without={"asking": "signed"}, remembered={"question"})
    price, members = 0, tuple[str, ...]()
    if isinstance(request, Consulting | Submitting | Tally | Watching | Grouping):
        # Its whole name: no request of one service can be taken for one of another.
        method = str(request.DESCRIPTOR.full_name)
        subject = _of(written, written.keys() - {"asking"})
    elif isinstance(request, node_pb2.ReplyRequest):
        method, subject = "Reply", _of(written, {"handler", "arguments"})
    elif isinstance(request, batch_pb2.ReplyManyRequest):
        method, subject = "ReplyMany", _of(written, {"handler", "subjects", "arguments"})
    elif isinstance(request, step_pb2.TakeRequest):
        method = "Take"
        subject = _of(written, {"procedure", "case_id", "step", "handler"})
    elif isinstance(request, portal_pb2.SubjectAccessListRequest):
        method, subject = "List", _of(written, {"subject", "before", "most"})
    else:
        # Every other request is named for the method that it is made for.
        method = type(request).__name__.removesuffix("Request")
        price, members = request.micro_epsilon, tuple(request.members)
        subject = remembered_bytes(request.question)
    return Statement(
        federation,
        department,
        method,
        sha256(asking.token.encode()).digest(),
        asking.purpose,
        asking.question_id,
        question_hash(subject, asking.question_id),
        price,
        members,
        issued_at_ms,
        sha256(b"".join(written.values())).digest(),
    )


def _of(written: Mapping[str, bytes], names: Collection[str]) -> bytes:
    """The canonical bytes of a message that has these fields of a request and no other."""
    return b"".join([field for name, field in written.items() if name in names])


@dataclass(frozen=True, slots=True)
class AskingSigner:
    """The gateway's side. `clock` gives seconds since 1970."""

    federation: str
    key: Ed25519PrivateKey
    clock: Callable[[], float]

    def signing(self, request: AnyRequest) -> Callable[[str], AnyRequest]:
        """For a department's name, a copy of the request signed for it, all at this moment.

        Raises INVALID_ARGUMENT where the request has no canonical bytes.
        """
        moment = int(self.clock() * 1000)
        try:
            said = statement(self.federation, "", request, moment)
        except ValueError:
            raise error("INVALID_ARGUMENT", "The question cannot be signed.") from None

        def sign(department: str) -> AnyRequest:
            signature = self.key.sign(replace(said, department=department).to_bytes())
            signed = type(request)()
            signed.CopyFrom(request)
            signed.asking.signed.CopyFrom(
                membership_pb2.GatewaySignature(issued_at_ms=moment, signature=signature)
            )
            return signed

        return sign


@dataclass(frozen=True, slots=True)
class AskingVerifier:
    """The department's side: `key` gives the gateway's key that is pinned now."""

    federation: str
    department: str
    key: Callable[[], Ed25519PublicKey]
    clock: Callable[[], float]

    def require(self, request: Request) -> None:
        """Returns for what the gateway signed for this department within the leeway.

        Raises SIGNATURE_INVALID or SIGNATURE_EXPIRED; both say nothing of the question.
        """
        signed = request.asking.signed
        try:
            said = statement(self.federation, self.department, request, signed.issued_at_ms)
            self.key().verify(signed.signature, said.to_bytes())
        except (InvalidSignature, NotCanonical, ValueError):
            raise error("SIGNATURE_INVALID") from None
        if abs(self.clock() - signed.issued_at_ms / 1000) > LEEWAY:
            raise error(
                "SIGNATURE_EXPIRED",
                hint="Set the clocks of gateway and departments; then ask again.",
            )
