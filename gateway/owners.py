"""A department, asked as the owner of a consultation or of a grant: signed, once, by itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

import grpc

from gateway.ask_each import named
from gateway.departments import Departments
from gateway.gathering import why_missing
from gateway.parts import part_of
from gateway.request import Request
from gateway.sight import Sight
from landbridge.consultation.grant import Grant, invalid, read_grant
from landbridge.errors import error
from landbridge.membership.statement import AskingSigner
from landbridge.status import from_rpc_error
from landbridge.v1 import consult_pb2, consult_pb2_grpc, evidence_pb2
from policies.review import not_available

Message = TypeVar(
    "Message",
    consult_pb2.ConsultRequest,
    consult_pb2.FollowRequest,
    consult_pb2.RespondRequest,
    consult_pb2.AnswerGrantedRequest,
    consult_pb2.ReplyGrantedRequest,
)
Reply = TypeVar("Reply")


class Owners:
    """The way to each owner, by the connections that there are now."""

    def __init__(self, departments: Departments, signer: AskingSigner, sight: Sight) -> None:
        self._departments = departments
        self._signer = signer
        self._sight = sight

    def sizes(self, department: str) -> Mapping[str, int]:
        """How many entries of its log were seen before it is asked."""
        return self._sight.sizes((department,))

    def ask(
        self,
        department: str,
        method: Callable[
            [consult_pb2_grpc.ConsultingStub], grpc.UnaryUnaryMultiCallable[Message, Reply]
        ],
        message: Message,
        request: Request,
    ) -> Reply:
        """What the owner says; raises its refusal, with its name, or who is missing and why."""
        seconds = request.seconds
        if seconds <= 0:
            raise error("DEADLINE")
        connection = self._departments.connections.get(department)
        if connection is None:
            raise not_available("department", department)
        if not self._sight.trusted(department):
            raise why_missing((department,), {})
        signed = self._signer.signing(message)(department)
        try:
            with self._departments.mending((department,)):
                call = method(connection.consulting).future(
                    signed, timeout=seconds, metadata=tuple(request.trace.headers)
                )
            return call.result()
        except grpc.RpcError as failure:
            said = from_rpc_error(failure)
            if said.status not in ("UNAVAILABLE", "DEADLINE_EXCEEDED", "INTERNAL"):
                raise named(department, said) from None
        except (ValueError, grpc.FutureCancelledError):  # the channel was closed: it left
            said = error("DEPARTMENT_MISSING")
        raise why_missing((department,), {department: said})

    def part(
        self, department: str, receipt: evidence_pb2.Receipt, request: Request,
        seen: Mapping[str, int],
    ) -> dict[str, object]:  # fmt: skip
        """The department's own entry of this very request, whose proof must hold."""
        known = self._departments.catalogue()
        return part_of(department, receipt, request.question_id, known, seen[department])

    def grant(self, message: consult_pb2.Grant) -> Grant:
        """The grant, if the department that it names signed it."""
        try:
            named_in = consult_pb2.GrantStatement.FromString(message.statement).department
        except Exception:  # noqa: BLE001 - protobuf raises more than it says
            raise invalid() from None
        key = self._departments.signing_key(named_in)
        if key is None:
            raise invalid()
        return read_grant(message, key, self._signer.federation, named_in)
