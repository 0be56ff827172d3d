"""Both ends verify: what the gateway did not sign for this department now is not answered."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from hashlib import sha256

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from google.protobuf.descriptor import FieldDescriptor

from landbridge.errors import LandbridgeError
from landbridge.membership import canonical, statement
from landbridge.membership.canonical import canonical_bytes
from landbridge.membership.statement import LEEWAY, AskingSigner, AskingVerifier
from landbridge.v1 import (
    batch_pb2,
    consult_pb2,
    membership_pb2,
    node_pb2,
    portal_pb2,
    question_pb2,
    step_pb2,
)

NOW = 1_790_000_000.0
KEY = Ed25519PrivateKey.generate()
SIGNER = AskingSigner("town", KEY, lambda: NOW)


def request() -> node_pb2.AnswerRequest:
    """A question as the gateway makes it."""
    return node_pb2.AnswerRequest(
        asking=node_pb2.Asking(token="t.o.k", purpose="p", question_id="ab" * 16, gateway_log="g"),
        question=question_pb2.Question(contract="people"),
        micro_epsilon=5,
        members=["north", "south"],
    )


def verifier(
    department: str = "north", *, at: float = NOW, federation: str = "town"
) -> AskingVerifier:
    """A department at a moment."""
    return AskingVerifier(federation, department, KEY.public_key, lambda: at)


def refusal(asked: node_pb2.AnswerRequest, by: AskingVerifier) -> str:
    """The reason why it is not taken, or nothing."""
    try:
        by.require(asked)
    except LandbridgeError as refused:
        return refused.reason
    return ""


def test_a_signed_request_is_taken_by_its_department_alone() -> None:
    """Another department, or another federation with the same gateway key, takes nothing."""
    signed = SIGNER.signing(request())("north")
    assert refusal(signed, verifier()) == ""
    assert refusal(signed, verifier("south")) == "SIGNATURE_INVALID"
    assert refusal(signed, verifier(federation="city")) == "SIGNATURE_INVALID"


CHANGES: tuple[Callable[[node_pb2.AnswerRequest], object], ...] = (
    lambda r: setattr(r.asking, "token", "t.o.x"),
    lambda r: setattr(r.asking, "purpose", "q"),
    lambda r: setattr(r.asking, "question_id", "cd" * 16),
    lambda r: setattr(r.asking, "gateway_log", "h"),
    lambda r: setattr(r.question, "contract", "health"),
    lambda r: setattr(r, "micro_epsilon", 6),
    lambda r: r.members.append("west"),
    lambda r: r.members.pop(),
    lambda r: setattr(r.asking.signed, "issued_at_ms", r.asking.signed.issued_at_ms + 1),
    lambda r: r.asking.ClearField("signed"),
    lambda r: r.MergeFromString(b"\xfa\x07\x01x"),
    lambda r: setattr(r.asking, "question_id", "no hex"),
)


@pytest.mark.parametrize("change", CHANGES)
def test_no_part_of_it_can_be_changed(
    change: Callable[[node_pb2.AnswerRequest], object],
) -> None:
    """Whoever stands between gateway and node, or has stolen a caller's token."""
    signed = SIGNER.signing(request())("north")
    change(signed)
    assert refusal(signed, verifier()) == "SIGNATURE_INVALID"


def test_a_question_cannot_be_passed_off_as_an_estimate() -> None:
    """The two have the same fields; the method is signed too."""
    signed = SIGNER.signing(request())("north")
    other = node_pb2.EstimateRequest.FromString(signed.SerializeToString())
    with pytest.raises(LandbridgeError, match="SIGNATURE_INVALID"):
        verifier().require(other)


def test_another_key_is_nobody() -> None:
    """A member that signs with its own key is not the gateway."""
    stranger = AskingSigner("town", Ed25519PrivateKey.generate(), lambda: NOW)
    assert refusal(stranger.signing(request())("north"), verifier()) == "SIGNATURE_INVALID"


def test_it_is_worth_something_for_the_leeway_only() -> None:
    """Replayed within it, it is the same question under the same id; after it, nothing."""
    signed = SIGNER.signing(request())("north")
    for late, reason in (
        (LEEWAY - 1, ""),
        (1 - LEEWAY, ""),
        (LEEWAY + 1, "SIGNATURE_EXPIRED"),
        (-LEEWAY - 1, "SIGNATURE_EXPIRED"),
    ):
        assert refusal(signed, verifier(at=NOW + late)) == reason


def test_the_signed_bytes_are_those_of_the_document() -> None:
    """docs/members.md, written a second time."""

    def lengths(*contents: bytes) -> bytes:
        return b"".join(len(each).to_bytes(8, "big") + each for each in contents)

    asked = request()
    signed = SIGNER.signing(asked)("north")
    identifier = bytes.fromhex(asked.asking.question_id)
    said = lengths(
        b"landbridge asking v1",
        b"town",
        b"north",
        b"Answer",
        sha256(b"t.o.k").digest(),
        b"p",
        b"ab" * 16,
        sha256(asked.question.SerializeToString(deterministic=True) + identifier).digest(),
        (5).to_bytes(8, "big"),
        lengths(b"north", b"south"),
        int(NOW * 1000).to_bytes(8, "big"),
        sha256(asked.SerializeToString(deterministic=True)).digest(),
    )
    KEY.public_key().verify(signed.asking.signed.signature, said)


REQUESTS: tuple[statement.Request, ...] = (
    request(),
    node_pb2.ReplyRequest(
        asking=node_pb2.Asking(token="t.o.k", purpose="p", question_id="ab" * 16),
        handler="h",
        arguments={"b": question_pb2.Literal(integer=2), "a": question_pb2.Literal(text="x")},
        consent="c",
    ),
    batch_pb2.ReplyManyRequest(
        asking=node_pb2.Asking(question_id="ab" * 16), handler="h", subjects=[], consents=["c"]
    ),
    step_pb2.TakeRequest(
        asking=node_pb2.Asking(question_id="ab" * 16), procedure="p", case_id="c", form_key=b"k"
    ),
    portal_pb2.SubjectAccessListRequest(
        asking=node_pb2.Asking(question_id="ab" * 16), subject="s", most=5
    ),
    consult_pb2.FollowRequest(asking=node_pb2.Asking(question_id="ab" * 16), id="i", after=3),
)


@pytest.mark.parametrize("asked", REQUESTS, ids=lambda each: type(each).__name__)
def test_what_is_signed_is_the_request_without_its_signature(asked: statement.Request) -> None:
    """Written in one pass, it is what the definition says: a copy, the signature taken out."""
    signed, bare = deepcopy(asked), deepcopy(asked)
    signed.asking.signed.CopyFrom(
        membership_pb2.GatewaySignature(issued_at_ms=1, signature=b"s" * 64)
    )
    for each in (asked, signed):
        said = statement.statement("town", "north", each, 5)
        assert said.request == sha256(canonical_bytes(bare)).digest()
        assert said == statement.statement("town", "north", bare, 5)
    if isinstance(asked, node_pb2.ReplyRequest):
        subject = canonical_bytes(
            node_pb2.ReplyRequest(handler=asked.handler, arguments=asked.arguments)
        )
        assert said.subject == statement.question_hash(subject, "ab" * 16)


def test_a_request_is_written_once_for_a_statement(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ends make one for every request: its fields are gone through once, none is copied."""
    asked = REQUESTS[1]
    written: list[str] = []
    field = canonical._field

    def counted(descriptor: FieldDescriptor, value: object) -> bytes:
        written.append(descriptor.full_name)
        return field(descriptor, value)

    monkeypatch.setattr(canonical, "_field", counted)
    statement.statement("town", "north", asked, 5)
    assert len(written) == len(set(written)) == 8
