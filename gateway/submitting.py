"""Records on their way through the gateway, which reads none of them.

It says who hands in, by its own policy; holds them to their pace; carries sealed batches to the
department in their order; and writes an entry for each before its result goes back.
"""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

import grpc

from gateway.ask_each import named
from gateway.catalogue import Served
from gateway.departments import Departments
from gateway.flow import Credits, Paces, Places
from gateway.gathering import asking_of, why_missing
from gateway.parts import part_of, rejected
from gateway.planning import Planning
from gateway.request import Request
from gateway.sight import Sight
from landbridge.edge.record import Draft, Recorder
from landbridge.errors import LandbridgeError, error
from landbridge.identity.bearer import bearer_token
from landbridge.identity.caller import Caller
from landbridge.identity.issuers import Verifier
from landbridge.levels import Level
from landbridge.membership.statement import AskingSigner
from landbridge.status import from_rpc_error
from landbridge.v1 import submission_pb2
from policies.moment import Moment
from policies.purpose import require_allowed, require_stated
from policies.review import not_available
from policies.sight import may_submit
from policies.sight import request as requested

SECONDS: Final = 45.0
"""After which a stream takes no more; its sender opens another, with a token that is good then."""
ENDING: Final = 30.0
"""For the results of what is under way by then."""
_DONE: Final = object()


@dataclass(slots=True)
class _Stream:
    """One caller's batches to one department."""

    request: Request
    token: str
    caller: Caller
    department: str
    contract: str
    credits: Credits = field(default_factory=Credits)
    sent: queue.SimpleQueue[tuple[bytes, int]] = field(default_factory=queue.SimpleQueue)

    @property
    def who(self) -> tuple[str, str]:
        """Whom a pace is for."""
        return self.caller.organisation, self.caller.subject


class Submitting:
    """The gateway's use cases. Everything that acts is passed in."""

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
        paces: Paces,
        places: Places,
        clock: Callable[[], float],
        now: Callable[[], float],
        seconds: float = SECONDS,
    ) -> None:
        self._planning = planning
        self._departments = departments
        self._verifier = verifier
        self._recorder = recorder
        self._log_name = log_name
        self._signer = signer
        self._sight = sight
        self._manifest = manifest
        self._paces = paces
        self._places = places
        self._clock = clock
        self._now = now
        self._seconds = seconds
        self.most_under_way = 0
        """Bytes that one stream ever had under way."""

    def describe(self, request: Request, name: str) -> submission_pb2.DescribeCollectionResponse:
        """What the department says, with its signature, and the members' keys."""
        with self._recorder.request("explain", trace_id=request.trace.id) as draft:
            department, _, contract = name.rpartition(".")
            token, _, served = self._admitted(request, department, contract, draft)
            if len(served.departments) > 1:
                raise error(
                    "INVALID_ARGUMENT",
                    f"Several departments collect {contract}; name one.",
                    hint=f"For example {served.departments[0]}.{contract}.",
                )
            (department,) = served.departments
            message = submission_pb2.DescribeIntakeRequest(
                asking=asking_of(request, token, self._log_name), contract=contract
            )
            self._require_trusted(department)
            response = self._departments.ask_one(
                department,
                lambda connection: connection.intake.DescribeIntake,
                self._signer.signing(message),
                request.seconds,
                request.trace.headers,
            )
            draft.answered(b"")
            return submission_pb2.DescribeCollectionResponse(
                form=response.form, manifest=self._manifest()
            )

    def submit(
        self,
        request: Request,
        opening: submission_pb2.SubmitOpening,
        batches: Iterator[submission_pb2.SealedBatch],
    ) -> Iterator[submission_pb2.SubmitResponse]:
        """The results, in the batches' order."""
        with self._recorder.check("submit", trace_id=request.trace.id):
            stream = self._opened(request, opening)
        with self._places.place(stream.department), self._paces.stream(stream.who):
            yield from self._carried(stream, batches)

    def _opened(self, request: Request, opening: submission_pb2.SubmitOpening) -> _Stream:
        draft = Draft("submit", self._recorder)  # what is refused here is written by `check`
        token, caller, _ = self._admitted(request, opening.department, opening.contract, draft)
        self._require_trusted(opening.department)
        return _Stream(request, token, caller, opening.department, opening.contract)

    def _carried(
        self, stream: _Stream, batches: Iterator[submission_pb2.SealedBatch]
    ) -> Iterator[submission_pb2.SubmitResponse]:
        asking = asking_of(stream.request, stream.token, self._log_name)
        opening = submission_pb2.IntakeOpening(asking=asking, contract=stream.contract)
        signed = self._signer.signing(opening)(stream.department)
        connection = self._departments.connections.get(stream.department)
        if connection is None:
            raise why_missing((stream.department,), {})
        failures: list[LandbridgeError] = []
        call = None
        try:
            with self._departments.mending((stream.department,)):
                call = connection.intake.Take(
                    self._onward(stream, signed, batches, failures),
                    timeout=self._seconds + ENDING,
                    metadata=stream.request.trace.headers,
                )
            for response in call:
                yield self._logged(stream, response.result)
            if failures:
                raise failures[0]
        except ValueError:  # gRPC says it of a closed channel
            raise why_missing((stream.department,), {}) from None
        except grpc.RpcError as failure:
            said = from_rpc_error(failure)
            if said.reason == "GATEWAY_UNREACHABLE":  # so it seems to whoever asks: the node is
                raise why_missing((stream.department,), {}) from None
            raise named(stream.department, said) from None
        finally:
            self.most_under_way = max(self.most_under_way, stream.credits.most)
            stream.credits.end()
            if call is not None:
                call.cancel()

    def _onward(
        self,
        stream: _Stream,
        opening: submission_pb2.IntakeOpening,
        batches: Iterator[submission_pb2.SealedBatch],
        failures: list[LandbridgeError],
    ) -> Iterator[submission_pb2.IntakeTakeRequest]:
        """What goes to the department; gRPC takes the next when the one before is sent."""
        yield submission_pb2.IntakeTakeRequest(opening=opening)
        end = self._clock() + self._seconds
        try:
            for batch in batches:
                # Before anything of it is passed on: whoever may no more is told so.
                self._require(stream)
                size = len(batch.sealed)
                delay = self._paces.delay(stream.who, size)
                if delay:
                    time.sleep(min(delay, self._seconds))
                if not stream.credits.take(size):
                    return
                stream.sent.put((batch.batch_id, size))
                yield submission_pb2.IntakeTakeRequest(batch=batch)
                if self._clock() >= end:
                    return
        except LandbridgeError as refusal:
            failures.append(refusal)  # what was passed on before has its results first
        except grpc.RpcError:
            return  # the caller is gone; what was passed on is finished

    def _require(self, stream: _Stream) -> None:
        """The token and the policy of now; both are remembered by whoever decides."""
        with self._recorder.check("submit", trace_id=stream.request.trace.id):
            draft = Draft("submit", self._recorder)
            self._admitted(stream.request, stream.department, stream.contract, draft)

    def _logged(
        self, stream: _Stream, result: submission_pb2.BatchResult
    ) -> submission_pb2.SubmitResponse:
        """Step (12): the entry of a batch, durable, and then its result."""
        batch_id, size = stream.sent.get_nowait() if not stream.sent.empty() else (b"", 0)
        try:
            if result.batch_id != batch_id:
                raise rejected(stream.department, "the result of another batch")
            with self._recorder.request("submit", trace_id=stream.request.trace.id) as draft:
                draft.caller(stream.caller)
                draft.note(
                    question_id=batch_id.hex(),
                    purpose=stream.request.purpose,
                    resource=stream.contract,
                    members=[stream.department],
                )
                known = self._departments.catalogue()
                part = part_of(stream.department, result.receipt, batch_id.hex(), known, 0)
                draft.note(parts=[part])
                logged = draft.answered(result.SerializeToString(deterministic=True))
            return submission_pb2.SubmitResponse(result=result, receipt=logged.message())
        finally:
            stream.credits.give_back(size)

    def _admitted(
        self, request: Request, department: str, contract: str, draft: Draft
    ) -> tuple[str, Caller, Served]:
        """Steps (1) and (3): who it is, and whether they may hand in."""
        token = bearer_token(request.metadata)
        caller = self._verifier.verify(token, request.certificate)
        draft.caller(caller)
        require_stated(request.purpose, caller.purposes)
        draft.note(purpose=request.purpose)
        served = self._departments.catalogue().table(contract, department or None)
        access, now = self._planning.access, Moment.at(self._now())
        if not may_submit(caller, served.contract, access, now):
            raise not_available("table", f"{department}.{contract}" if department else contract)
        draft.note(resource=served.contract.id, members=list(served.departments))
        require_allowed(request.purpose, served.contract.purposes)
        asked = requested(
            caller, "contract", contract, request.purpose, Level.OPEN, now, "submit", columns=()
        )
        draft.note(policies=list(access.require(asked)))
        return token, caller, served

    def _require_trusted(self, department: str) -> None:
        if not self._sight.trusted(department):
            raise why_missing((department,), {})
