"""A question from the caller's text to the answer, at the gateway: steps (1) to (5), (11), (12)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from gateway.answered import Answered, Explained
from gateway.catalogue import Catalogue, HandlerOffer
from gateway.combine import suppressed
from gateway.days import require_one_day
from gateway.departments import Departments
from gateway.directory import Offered
from gateway.fitting import reply_of, require_fitting
from gateway.gathering import Gathered, Gathering, Put, asking_of, why_missing
from gateway.link_gathering import LinkGathering
from gateway.links import Links
from gateway.nearest import nearest
from gateway.parts import part_of
from gateway.planning import Plan, Planning
from gateway.reply import call_response, columns_of, explain_response, query_response
from gateway.request import Metadata, Request
from gateway.sight import Sight, Unwatched
from gateway.sql import places
from gateway.table import rows
from landbridge.annotation import Terms, agreed
from landbridge.edge.record import Draft, Recorder
from landbridge.errors import LandbridgeError, error
from landbridge.identity.bearer import bearer_token
from landbridge.identity.caller import Caller
from landbridge.identity.certificates import NONE_PRESENTED, Presented
from landbridge.identity.issuers import Verifier
from landbridge.literals import Value, from_literal
from landbridge.membership.statement import AskingSigner
from landbridge.v1 import evidence_pb2, gateway_pb2, node_pb2, question_pb2
from policies.reply import spelt

_QUESTION_ID = re.compile(r"[0-9a-f]{32}")


class Asking:
    """The gateway's use cases. Everything that acts is passed in."""

    def __init__(
        self,
        planning: Planning,
        departments: Departments,
        verifier: Verifier,
        recorder: Recorder,
        log_name: str,
        signer: AskingSigner,
        links: Links,
        sight: Sight | None = None,
    ) -> None:
        self._gathering = Gathering(departments, signer, log_name, sight or Unwatched())
        self._planning = planning
        self._departments = departments
        self._verifier = verifier
        self._recorder = recorder
        self._log_name = log_name
        self._signer = signer
        self._linking = LinkGathering(links, log_name, sight or Unwatched())
        self._sight = sight or Unwatched()

    def query(
        self,
        request: Request,
        sql: str,
        micro_epsilon: int,
        *,
        partial: bool,
        mixed_dates: bool = False,
        parameters: Iterable[question_pb2.Literal] = (),
    ) -> gateway_pb2.QueryResponse:
        """The combined answer, or a refusal; either is in the log before this returns.

        Purpose and epsilon may stand in the text. `parameters` go to its places (?). Data of
        several days are answered from for callers who take `mixed_dates`.
        What the log commits to is this response without its receipt, serialized deterministically.
        """
        with self._recorder.request("query", trace_id=request.trace.id) as draft:
            token, caller = self._identified(request, draft)  # (1)
            request, micro_epsilon = _stated(request, sql, micro_epsilon)
            plan = self._planned(request, sql, micro_epsilon, caller, draft, parameters)
            require_one_day(plan.as_of, mixed=mixed_dates)
            put = Put(plan, request, token, caller.organisation, micro_epsilon, draft, partial)
            if plan.link is not None:
                linked = self._linking.answer(put, plan.link, caller.organisation)
                return self._combined(linked, draft)
            return self._combined(self._gathering.answer(put), draft)  # (5)

    @staticmethod
    def _combined(gathered: Gathered, draft: Draft) -> gateway_pb2.QueryResponse:
        """Steps (11) and (12)."""
        plan, combined, absent = gathered.plan, gathered.combined, gathered.absent
        draft.note(suppressed=suppressed(combined))
        table, untold = rows(plan.release, plan.presentation, combined)
        if absent:
            draft.note(note="missing: " + ", ".join(absent))
        response = query_response(
            Answered(plan, table, untold, combined, gathered.replies, absent, gathered.rounds)
        )
        logged = draft.answered(response.SerializeToString(deterministic=True))  # (12)
        response.receipt.CopyFrom(logged.message())
        return response

    def explain(
        self,
        request: Request,
        sql: str,
        micro_epsilon: int,
        *,
        mixed_dates: bool = False,
        parameters: Iterable[question_pb2.Literal] = (),
    ) -> gateway_pb2.ExplainResponse:
        """The plan, its cost and its accuracy; no data is touched, nothing is charged.

        What planning refuses is refused with the nearest question that would pass.
        """
        with self._recorder.request("explain", trace_id=request.trace.id) as draft:
            token, caller = self._identified(request, draft)  # (1)
            request, micro_epsilon = _stated(request, sql, micro_epsilon)
            plan = self._planned_or_nearest(request, sql, micro_epsilon, caller, draft, parameters)
            require_one_day(plan.as_of, mixed=mixed_dates)
            put = Put(plan, request, token, caller.organisation, micro_epsilon, draft)
            if plan.link is not None:
                found = self._linking.estimate(put, plan.link)
                linked = explain_response(Explained(plan, found, ()))
                draft.answered(linked.SerializeToString(deterministic=True))
                return linked
            estimates, absent = self._gathering.estimate(put)
            response = explain_response(Explained(plan, estimates, absent))
            draft.answered(response.SerializeToString(deterministic=True))
            return response

    def columns(
        self,
        request: Request,
        sql: str,
        micro_epsilon: int,
        *,
        parameters: Iterable[question_pb2.Literal] | None = (),
    ) -> tuple[int, tuple[gateway_pb2.ResultColumn, ...]]:
        """How many places a text has, and the columns that its answer would have; asks nobody.

        With `parameters` None the values are not known yet, and the columns of a text with places
        are not told. Logged as what it is, an explanation without departments' parts.
        """
        with self._recorder.request("explain", trace_id=request.trace.id) as draft:
            _, caller = self._identified(request, draft)  # (1)
            request, micro_epsilon = _stated(request, sql, micro_epsilon)
            draft.note(question_hash=draft.recorder.digest("text", sql))
            many = places(sql)
            found: tuple[gateway_pb2.ResultColumn, ...] = ()
            if parameters is not None or not many:
                plan = self._planned(request, sql, micro_epsilon, caller, draft, parameters or ())
                found = columns_of(plan)
            shown = gateway_pb2.QueryResponse(columns=found)
            draft.answered(shown.SerializeToString(deterministic=True))
            return many, found

    def call(
        self, request: Request, name: str, arguments: Callable[[node_pb2.ReplyRequest], None]
    ) -> gateway_pb2.CallResponse:
        """A handler's reply. `arguments` fills them into the node's request.

        What the log commits to is the reply as `policies.reply.spelt` has it, in UTF-8.
        """
        with self._recorder.request("call", trace_id=request.trace.id) as draft:
            token, caller = self._identified(request, draft)
            department, offer = self._planning.handler(
                name, request.purpose, caller, self._departments.catalogue(), draft
            )
            message = node_pb2.ReplyRequest(
                asking=asking_of(request, token, self._log_name), handler=offer.name
            )
            arguments(message)
            if not self._sight.trusted(department):
                raise why_missing((department,), {})
            seen = self._sight.sizes((department,))
            asked = self._departments.ask(
                (department,),
                lambda stub: stub.node.Reply,
                self._signer.signing(message),
                request.seconds,
                request.trace.headers,
            )
            asked.require_none_refused()
            if asked.missing:
                raise why_missing((department,), asked.missing)
            reply = asked.replies[department]
            known = self._departments.catalogue()
            part = part_of(department, reply.receipt, request.question_id, known, seen[department])
            draft.note(parts=[part])
            require_fitting(department, offer, reply)
            logged = draft.answered(spelt(reply_of(reply)).encode())
            return call_response(reply, logged)

    def view(self, caller: Caller) -> Catalogue:
        """What policy lets the caller use."""
        return self._planning.view(caller, self._departments.catalogue())

    @contextmanager
    def reading(
        self, metadata: Metadata, certificate: Presented = NONE_PRESENTED
    ) -> Iterator[Caller]:
        """Who asks, while what they ask is read; what is refused of either is in the log."""
        caller = self.identify(metadata, certificate)
        with self._recorder.check("query"):
            yield caller

    def offered(self, caller: Caller) -> Offered:
        """What the caller may know to exist."""
        return self._planning.offered(caller, self._departments.catalogue())

    def identify(self, metadata: Metadata, certificate: Presented = NONE_PRESENTED) -> Caller:
        """Who the caller is; a refused login is in the log."""
        with self._recorder.check("refused_login"):
            return self._verifier.verify(bearer_token(metadata), certificate)

    def called(
        self, request: Request, name: str, draft: Draft
    ) -> tuple[node_pb2.Asking, str, HandlerOffer]:
        """Who asks, and the handler that this caller may call; raises a refusal."""
        token, caller = self._identified(request, draft)
        department, offer = self._planning.handler(
            name, request.purpose, caller, self._departments.catalogue(), draft
        )
        return asking_of(request, token, self._log_name), department, offer

    def part(
        self, department: str, receipt: evidence_pb2.Receipt, question_id: str, seen: int
    ) -> dict[str, object]:
        """As the log names a department's own entry, whose proof must hold."""
        return part_of(department, receipt, question_id, self._departments.catalogue(), seen)

    def sight(self, department: str) -> int:
        """How many entries of its log were seen; raises where its log showed two histories."""
        if not self._sight.trusted(department):
            raise why_missing((department,), {})
        return self._sight.sizes((department,))[department]

    def _planned(
        self,
        request: Request,
        sql: str,
        micro_epsilon: int,
        caller: Caller,
        draft: Draft,
        parameters: Iterable[question_pb2.Literal],
    ) -> Plan:
        known = self._departments.catalogue()
        return self._planning.question(
            sql, request.purpose, micro_epsilon, caller, known, draft, values=_values(parameters)
        )

    def _planned_or_nearest(
        self,
        request: Request,
        sql: str,
        micro_epsilon: int,
        caller: Caller,
        draft: Draft,
        parameters: Iterable[question_pb2.Literal],
    ) -> Plan:
        known = self._departments.catalogue()
        values = _values(parameters)

        def plan(text: str, micro: int) -> Plan:
            # Nobody asked this text, so what planning notes of it goes nowhere.
            unwritten = Draft("explain", self._recorder)
            return self._planning.question(
                text, request.purpose, micro, caller, known, unwritten, values=values,
                remember=False,
            )  # fmt: skip

        try:
            return self._planning.question(
                sql, request.purpose, micro_epsilon, caller, known, draft, values=values
            )
        except LandbridgeError as refusal:
            refusal.passing = nearest(sql, micro_epsilon, refusal, plan)
            raise

    def _identified(self, request: Request, draft: Draft) -> tuple[str, Caller]:
        token = bearer_token(request.metadata)
        if not _QUESTION_ID.fullmatch(request.question_id):
            raise error("INVALID_ARGUMENT", "A question id is 32 lower-case hexadecimal digits.")
        draft.note(question_id=request.question_id)
        caller = self._verifier.verify(token, request.certificate)
        draft.caller(caller)
        return token, caller


def _stated(request: Request, sql: str, micro_epsilon: int) -> tuple[Request, int]:
    """The request and its epsilon, with what the text itself says of purpose and epsilon."""
    terms = agreed(sql, Terms(request.purpose, micro_epsilon))
    return replace(request, purpose=terms.purpose), terms.micro_epsilon


def _values(parameters: Iterable[question_pb2.Literal]) -> tuple[Value, ...]:
    return tuple(from_literal(parameter) for parameter in parameters)
