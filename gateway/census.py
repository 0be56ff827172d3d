"""A measurement by two servers, at the gateway: it carries what it cannot read, and adds up what
both departments release.

The gateway says who speaks when. It cannot make a report count twice, put one into two batches or
make a department verify what the other did not send: each department holds that by itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import grpc

from gateway.catalogue import Catalogue
from gateway.census_reply import Collected, answer, require_fitting
from gateway.connection import Connection
from gateway.departments import Departments
from gateway.gathering import asking_of, why_missing
from gateway.parts import part_of
from gateway.planning import Planning
from gateway.request import Request
from gateway.sight import Sight
from landbridge.edge.record import Draft, Recorder
from landbridge.errors import LandbridgeError, error
from landbridge.identity.bearer import bearer_token
from landbridge.identity.caller import Caller
from landbridge.identity.issuers import Verifier
from landbridge.levels import Level
from landbridge.membership.canonical import canonical_bytes
from landbridge.membership.statement import AnyRequest, AskingSigner
from landbridge.v1 import census_pb2, evidence_pb2, node_pb2
from policies.contract import Contract, Measurement
from policies.measurement import measured, plan_measurement
from policies.moment import Moment
from policies.purpose import require_allowed, require_stated
from policies.review import not_available, visible
from policies.sight import may_contribute, request

_QUESTION_ID = re.compile(r"[0-9a-f]{32}")
Response = TypeVar("Response")


@dataclass(frozen=True, slots=True)
class _Asked:
    """A measurement that is permitted here, and who asks for it."""

    request: Request
    asking: node_pb2.Asking
    contract: Contract
    measurement: Measurement
    draft: Draft

    @property
    def names(self) -> dict[str, str]:
        """As every message to a department names the measurement."""
        return {"contract": self.contract.id, "column": self.measurement.column}


class Census:
    """The gateway's use cases. Everything that acts is passed in; `manifest` gives the document."""

    def __init__(
        self,
        planning: Planning,
        departments: Departments,
        verifier: Verifier,
        recorder: Recorder,
        log_name: str,
        signer: AskingSigner,
        sight: Sight,
        manifest: Callable[[], bytes],
        clock: Callable[[], float],
    ) -> None:
        self._planning = planning
        self._departments = departments
        self._verifier = verifier
        self._recorder = recorder
        self._log_name = log_name
        self._signer = signer
        self._sight = sight
        self._manifest = manifest
        self._clock = clock

    def describe(
        self, request: Request, contract: str, column: str
    ) -> census_pb2.CensusDescribeResponse:
        """The terms that both departments signed; what they are worth is the client's to check."""
        with self._recorder.request("explain", trace_id=request.trace.id) as draft:
            asked = self._contribution(request, contract, column, draft)
            replies = self._both(
                asked,
                lambda connection: connection.tally.Terms,
                dict.fromkeys(
                    asked.measurement.departments,
                    census_pb2.TallyTermsRequest(asking=asked.asking, **asked.names),
                ),
            )
            said = {canonical_bytes(reply.terms) for reply in replies.values()}
            if len(said) != 1:
                raise error(
                    "CONTRACT_CHANGED",
                    "The two departments do not mean the same by this measurement.",
                    missing=asked.measurement.departments,
                )
            response = census_pb2.CensusDescribeResponse(
                terms=replies[asked.measurement.owner].terms,
                signed=[
                    census_pb2.SignedTerms(department=name, signature=reply.signed.signature)
                    for name, reply in replies.items()
                ],
                manifest=self._manifest(),
            )
            draft.answered(canonical_bytes(response.terms))
            return response

    def contribute(
        self,
        request: Request,
        contract: str,
        column: str,
        reports: Sequence[census_pb2.CensusReport],
    ) -> census_pb2.CensusContributeResponse:
        """Carries each share to its department; both have it on disk, or the report has a reason.

        What the log commits to is this response without its receipt, serialized deterministically.
        """
        with self._recorder.request("submit", trace_id=request.trace.id) as draft:
            asked = self._contribution(request, contract, column, draft)
            owner, second = asked.measurement.departments
            seen = self._sight.sizes(asked.measurement.departments)
            replies = self._both(
                asked,
                lambda connection: connection.tally.Take,
                {
                    name: census_pb2.TallyTakeRequest(
                        asking=asked.asking,
                        reports=[
                            census_pb2.TallyReport(
                                id=each.id,
                                public_share=each.public_share,
                                sealed=each.owner_share if name == owner else each.second_share,
                            )
                            for each in reports
                        ],
                        **asked.names,
                    )
                    for name in (owner, second)
                },
            )
            draft.note(parts=self._parts(asked, {n: r.receipt for n, r in replies.items()}, seen))
            for name, reply in replies.items():
                if len(reply.reasons) != len(reports):
                    raise _rejected(name)
            reasons = [
                first or other
                for first, other in zip(
                    replies[owner].reasons, replies[second].reasons, strict=True
                )
            ]
            draft.note(records=reasons.count(""))
            response = census_pb2.CensusContributeResponse(reasons=reasons)
            logged = draft.answered(response.SerializeToString(deterministic=True))
            response.receipt.CopyFrom(logged.message())
            return response

    def collect(
        self, request: Request, contract: str, column: str, micro_epsilon: int
    ) -> census_pb2.CensusCollectResponse:
        """The noisy total of the next batch.

        Reports are verified first, as many as there is time for; what was verified stays so, and
        the next attempt goes on from there. What the log commits to is the answer without its
        receipt, serialized deterministically.
        """
        with self._recorder.request("query", trace_id=request.trace.id) as draft:
            asked = self._measurement(request, contract, column, draft)
            plan = plan_measurement(asked.contract, asked.measurement, micro_epsilon)
            owner, second = asked.measurement.departments
            self._verify(asked)
            seen = self._sight.sizes((owner, second))
            closed = self._ask(
                asked,
                owner,
                lambda connection: connection.tally.Close,
                census_pb2.TallyCloseRequest(
                    asking=asked.asking, micro_epsilon=micro_epsilon, **asked.names
                ),
            )
            draft.note(
                parts=self._parts(asked, {owner: closed.receipt}, seen),
                charged_micro_rho=closed.charged_micro_rho,
            )
            total = self._ask(
                asked,
                second,
                lambda connection: connection.tally.Total,
                census_pb2.TallyTotalRequest(
                    asking=asked.asking,
                    micro_epsilon=micro_epsilon,
                    closed=closed.closed,
                    **asked.names,
                ),
            )
            draft.note(
                parts=self._parts(asked, {owner: closed.receipt, second: total.receipt}, seen),
                charged_micro_rho=closed.charged_micro_rho + total.charged_micro_rho,
            )
            collected = Collected(plan, closed, total)
            require_fitting(collected)
            response = answer(collected)  # (11)
            logged = draft.answered(response.SerializeToString(deterministic=True))  # (12)
            response.receipt.CopyFrom(logged.message())
            self._confirm(asked, total)
            return census_pb2.CensusCollectResponse(answer=response)

    def _verify(self, asked: _Asked) -> None:
        owner, second = asked.measurement.departments
        after = 0
        while True:
            offer = self._ask(
                asked,
                owner,
                lambda connection: connection.tally.Offer,
                census_pb2.TallyOfferRequest(asking=asked.asking, after=after, **asked.names),
            )
            if not offer.HasField("offered"):
                return
            if offer.last <= after:
                raise _rejected(owner)
            after = offer.last
            checked = self._ask(
                asked,
                second,
                lambda connection: connection.tally.Check,
                census_pb2.TallyCheckRequest(
                    asking=asked.asking, offered=offer.offered, **asked.names
                ),
            )
            self._ask(
                asked,
                owner,
                lambda connection: connection.tally.Settle,
                census_pb2.TallySettleRequest(
                    asking=asked.asking, checked=checked.checked, **asked.names
                ),
            )

    def _confirm(self, asked: _Asked, total: census_pb2.TallyTotalResponse) -> None:
        """Where the owner is not reached, the next attempt is given this batch again."""
        try:
            self._ask(
                asked,
                asked.measurement.owner,
                lambda connection: connection.tally.Confirm,
                census_pb2.TallyConfirmRequest(asking=asked.asking, done=total.done, **asked.names),
            )
        except LandbridgeError:
            return

    def _contribution(self, request_: Request, name: str, column: str, draft: Draft) -> _Asked:
        """Steps (1) and (3) for who hands in."""
        token, caller = self._identified(request_, draft)
        rules = self._planning.begin(draft)
        known, now = self._departments.catalogue(), Moment.at(self._clock())
        contract, measurement = _found(known, name, column)
        if not may_contribute(caller, contract, rules.access, now):
            raise not_available("measurement", f"{name}.{column}")
        asked = request(
            caller, "contract", name, request_.purpose, Level.OPEN, now, "submit", columns=()
        )
        return self._permitted(
            request_, token, contract, measurement, draft, partial(rules.access.require, asked)
        )

    def _measurement(self, request_: Request, name: str, column: str, draft: Draft) -> _Asked:
        """Steps (1) and (3) for who wants the total."""
        token, caller = self._identified(request_, draft)
        rules = self._planning.begin(draft)
        seen = self._planning.view(caller, self._departments.catalogue())
        contract, measurement = _found(seen, name, column)
        level = visible(contract, column, caller.clearance).level
        asked = request(
            caller, "contract", name, request_.purpose, level, Moment.at(self._clock()),
            columns=((column, level),),
        )  # fmt: skip
        return self._permitted(
            request_, token, contract, measurement, draft, partial(rules.access.require, asked)
        )

    def _permitted(
        self,
        request_: Request,
        token: str,
        contract: Contract,
        measurement: Measurement,
        draft: Draft,
        require: Callable[[], Sequence[str]],
    ) -> _Asked:
        draft.note(resource=contract.id, members=sorted(measurement.departments))
        require_allowed(request_.purpose, contract.purposes)
        draft.note(policies=list(require()))
        for department in measurement.departments:
            if not self._sight.trusted(department):
                raise why_missing((department,), {})
        asking = asking_of(request_, token, self._log_name, contract)
        return _Asked(request_, asking, contract, measurement, draft)

    def _identified(self, request_: Request, draft: Draft) -> tuple[str, Caller]:
        token = bearer_token(request_.metadata)
        if not _QUESTION_ID.fullmatch(request_.question_id):
            raise error("INVALID_ARGUMENT", "A question id is 32 lower-case hexadecimal digits.")
        draft.note(question_id=request_.question_id)
        caller = self._verifier.verify(token, request_.certificate)
        draft.caller(caller)
        require_stated(request_.purpose, caller.purposes)
        draft.note(purpose=request_.purpose)
        return token, caller

    def _ask(
        self,
        asked: _Asked,
        department: str,
        method: Callable[[Connection], grpc.UnaryUnaryMultiCallable[Any, Response]],
        message: AnyRequest,
    ) -> Response:
        return self._departments.ask_one(
            department,
            method,
            self._signer.signing(message),
            asked.request.seconds,
            asked.request.trace.headers,
        )

    def _both(
        self,
        asked: _Asked,
        method: Callable[[Connection], grpc.UnaryUnaryMultiCallable[Any, Response]],
        messages: Mapping[str, AnyRequest],
    ) -> Mapping[str, Response]:
        found = self._departments.ask(
            asked.measurement.departments,
            method,
            lambda name: self._signer.signing(messages[name])(name),
            asked.request.seconds,
            asked.request.trace.headers,
        )
        found.require_none_refused()
        if found.missing:
            raise why_missing(tuple(found.missing), found.missing)
        return found.replies

    def _parts(
        self,
        asked: _Asked,
        receipts: Mapping[str, evidence_pb2.Receipt],
        seen: Mapping[str, int],
    ) -> list[dict[str, object]]:
        known = self._departments.catalogue()
        return [
            part_of(name, receipt, asked.request.question_id, known, seen[name])
            for name, receipt in receipts.items()
        ]


def _found(known: Catalogue, name: str, column: str) -> tuple[Contract, Measurement]:
    """The contract as its owner serves it; raises NOT_AVAILABLE, CONTRACT_CHANGED."""
    for department, offer in known.offers.items():
        contract = offer.contracts.get(name)
        measurement = None if contract is None else measured(contract, column)
        if contract is None or measurement is None or measurement.owner != department:
            continue
        if not known.agrees(measurement.second, contract):
            raise error(
                "DEPARTMENT_MISSING",
                f"Department {measurement.second} does not serve this text of {name}.",
                missing=(measurement.second,),
            )
        return contract, measurement
    raise not_available("measurement", f"{name}.{column}")


def _rejected(department: str) -> LandbridgeError:
    return error(
        "ANSWER_REJECTED",
        f"Department {department} sent an answer that does not fit the request.",
        missing=(department,),
    )
