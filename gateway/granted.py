"""What an officer of the owner let through, asked under the grant that says so.

Grants pass through the gateway: it verifies the owner's signature and that the request is the one
granted, and the node does so again.
"""

from __future__ import annotations

from dataclasses import replace

from gateway.ask_each import Asked
from gateway.asking import Asking
from gateway.consult_planning import ConsultPlanning
from gateway.convert import question_to
from gateway.days import days_of
from gateway.departments import Departments
from gateway.fitting import reply_of, require_fitting
from gateway.gathering import Put, asking_of
from gateway.links import Links
from gateway.owners import Owners
from gateway.planning import Planning
from gateway.reply import call_response
from gateway.request import Request
from gateway.sight import Sight, Unwatched
from landbridge.edge.record import Recorder
from landbridge.identity.issuers import Verifier
from landbridge.membership.statement import AskingSigner
from landbridge.v1 import consult_pb2, gateway_pb2
from policies.reply import spelt as reply_text


class Granted(Asking):
    """The gateway's use cases, also under a grant."""

    def __init__(
        self,
        planning: Planning,
        consulting: ConsultPlanning,
        departments: Departments,
        verifier: Verifier,
        recorder: Recorder,
        log_name: str,
        signer: AskingSigner,
        links: Links,
        sight: Sight | None = None,
    ) -> None:
        super().__init__(planning, departments, verifier, recorder, log_name, signer, links, sight)
        self._consulting = consulting
        self._owners = Owners(departments, signer, sight or Unwatched())

    def query_granted(
        self, request: Request, asked: gateway_pb2.QueryRequest, message: consult_pb2.Grant
    ) -> gateway_pb2.QueryResponse:
        """As `query`, for what an officer of the owner let through."""
        with self._recorder.request("query", trace_id=request.trace.id) as draft:
            token, caller = self._identified(request, draft)  # (1)
            grant = self._owners.grant(message)
            known = self._departments.catalogue()
            plan = self._consulting.question(
                asked.sql, request.purpose, asked.micro_epsilon, caller, known, draft, grant
            )
            tables = [(grant.department, part.id) for part in plan.contract.each]
            plan = replace(plan, as_of=days_of(known, tables))
            draft.note(as_of=plan.as_of)
            seen = self._owners.sizes(grant.department)
            reply = self._owners.ask(  # (5)
                grant.department,
                lambda stub: stub.AnswerGranted,
                consult_pb2.AnswerGrantedRequest(
                    asking=asking_of(request, token, self._log_name, as_of=plan.as_of),
                    question=question_to(plan.question),
                    micro_epsilon=asked.micro_epsilon,
                    grant=message,
                ),
                request,
            )
            put = Put(plan, request, token, caller.organisation, asked.micro_epsilon, draft)
            replies = Asked({grant.department: reply.response}, {}, {})
            return self._combined(self._gathering.received(put, replies, seen), draft)

    def call_granted(
        self, request: Request, asked: gateway_pb2.CallRequest, message: consult_pb2.Grant
    ) -> gateway_pb2.CallResponse:
        """As `call`, for what an officer of the owner let through."""
        with self._recorder.request("call", trace_id=request.trace.id) as draft:
            token, caller = self._identified(request, draft)
            grant = self._owners.grant(message)
            call = consult_pb2.HandlerCall(
                handler=asked.handler.partition(".")[2], arguments=asked.arguments
            )
            department, offer = self._consulting.granted_handler(
                grant, asked.handler, consult_pb2.Matter(call=call), request.purpose, caller,
                self._departments.catalogue(), draft,
            )  # fmt: skip
            seen = self._owners.sizes(department)
            reply = self._owners.ask(
                department,
                lambda stub: stub.ReplyGranted,
                consult_pb2.ReplyGrantedRequest(
                    asking=asking_of(request, token, self._log_name), call=call, grant=message
                ),
                request,
            ).response
            draft.note(parts=[self._owners.part(department, reply.receipt, request, seen)])
            require_fitting(department, offer, reply)
            logged = draft.answered(reply_text(reply_of(reply)).encode())
            return call_response(reply, logged)
