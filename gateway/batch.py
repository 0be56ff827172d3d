"""A handler asked about many subjects at once: one entry here, a part of it for each subject."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import cast

import grpc

from gateway.asking import Asking
from gateway.departments import Departments
from gateway.fitting import reply_of, require_fitting
from gateway.request import Request
from landbridge.edge.record import Recorder
from landbridge.edge.telemetry import Telemetry
from landbridge.errors import error
from landbridge.identity.certificates import presented
from landbridge.membership.statement import AskingSigner
from landbridge.v1 import batch_pb2, batch_pb2_grpc
from policies.reply import spelt

MOST_SUBJECTS = 1_000


class CallsServicer(batch_pb2_grpc.CallsServicer):
    """Converts, asks the one department, combines."""

    def __init__(
        self,
        asking: Asking,
        departments: Departments,
        signer: AskingSigner,
        recorder: Recorder,
        telemetry: Telemetry,
    ) -> None:
        self._asking = asking
        self._departments = departments
        self._signer = signer
        self._recorder = recorder
        self._telemetry = telemetry

    def CallMany(
        self, request: batch_pb2.CallManyRequest, context: grpc.ServicerContext
    ) -> batch_pb2.CallManyResponse:
        """A reply about each subject, in their order."""
        metadata = context.invocation_metadata()
        certificate = presented(cast(Mapping[str, Iterable[bytes]], context.auth_context()))
        with self._telemetry.request("gateway.call_many", metadata) as trace:
            asked = Request(
                metadata,
                request.purpose,
                request.question_id,
                context.time_remaining,
                trace,
                certificate,
            )
            return self._call_many(asked, request)

    def _call_many(
        self, asked: Request, request: batch_pb2.CallManyRequest
    ) -> batch_pb2.CallManyResponse:
        """What the log commits to are the replies by `policies.reply.spelt`, a line each."""
        with self._recorder.request("call", trace_id=asked.trace.id) as draft:
            asking, department, offer = self._asking.called(asked, request.handler, draft)
            if not 0 < len(request.subjects) <= MOST_SUBJECTS:
                raise error("INVALID_ARGUMENT", f"A batch has 1 to {MOST_SUBJECTS} subjects.")
            message = batch_pb2.ReplyManyRequest(
                asking=asking,
                handler=offer.name,
                subjects=request.subjects,
                arguments=request.arguments,
                consents=request.consents,
            )
            seen = self._asking.sight(department)
            response = self._departments.ask_one(
                department,
                lambda connection: connection.handlers.ReplyMany,
                self._signer.signing(message),
                asked.seconds,
                asked.trace.headers,
            )
            if len(response.replies) != len(request.subjects):
                raise error(
                    "ANSWER_REJECTED",
                    f"Department {department} sent another number of replies than subjects.",
                    missing=(department,),
                )
            for reply in response.replies:
                require_fitting(department, offer, reply)
            draft.note(
                parts=[
                    self._asking.part(department, reply.receipt, asked.question_id, seen)
                    for reply in response.replies
                ]
            )
            lines = "\n".join(spelt(reply_of(reply)) for reply in response.replies)
            logged = draft.answered(lines.encode())
            return batch_pb2.CallManyResponse(
                replies=[
                    batch_pb2.HandlerReply(
                        code=reply.code,
                        reasons=reply.reasons,
                        number=reply.number if reply.HasField("number") else None,
                    )
                    for reply in response.replies
                ],
                version=response.version,
                receipt=logged.message(),
            )
