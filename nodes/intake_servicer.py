"""The node's gRPC face for records: convert, one use case a batch, convert."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from typing import Any, Final

import grpc

from landbridge.edge.interceptor import Guarded, Report
from landbridge.edge.record import Recorder
from landbridge.edge.telemetry import Telemetry
from landbridge.errors import error
from landbridge.membership.statement import Request
from landbridge.v1 import submission_pb2
from nodes.convert import refuse_unknown_fields
from nodes.intaking import Arrived, Intaking, Sender
from nodes.servicer import asking_from

SERVICE: Final = "landbridge.v1.Intake"
AHEAD: Final = 8
"""Batches of a stream that are read before the first one's result is there."""
Admit = Callable[[grpc.ServicerContext, Request], None]
"""Raises unless the gateway asks and has signed the request."""
Present = Callable[[grpc.ServicerContext], None]
"""Raises unless the gateway is at the other end, with a certificate that is good now."""


class IntakeServicer:
    """What the gateway hands on."""

    def __init__(
        self,
        admit: Admit,
        present: Present,
        intaking: Intaking,
        recorder: Recorder,
        telemetry: Telemetry,
        report: Report,
    ) -> None:
        self._admit = admit
        self._present = present
        self._intaking = intaking
        self._recorder = recorder
        self._telemetry = telemetry
        self._report = report

    def register(self, server: grpc.Server) -> None:
        """Adds the service."""
        handlers: dict[str, grpc.RpcMethodHandler[Any, Any]] = {
            "DescribeIntake": grpc.unary_unary_rpc_method_handler(
                self.describe,
                request_deserializer=submission_pb2.DescribeIntakeRequest.FromString,
                response_serializer=submission_pb2.DescribeIntakeResponse.SerializeToString,
            ),
            "Take": grpc.stream_stream_rpc_method_handler(
                Guarded(self.take, self._report),
                request_deserializer=submission_pb2.IntakeTakeRequest.FromString,
                response_serializer=submission_pb2.IntakeTakeResponse.SerializeToString,
            ),
        }
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))

    def describe(
        self, request: submission_pb2.DescribeIntakeRequest, context: grpc.ServicerContext
    ) -> submission_pb2.DescribeIntakeResponse:
        """What records hold."""
        self._admit(context, request)
        with self._recorder.check("explain"):
            refuse_unknown_fields(request)
        with self._telemetry.request("node.describe_intake", context.invocation_metadata()) as at:
            sender = Sender(asking_from(request.asking), request.contract)
            form = self._intaking.describe(sender, trace_id=at.id)
        return submission_pb2.DescribeIntakeResponse(form=form)

    def take(
        self, requests: Iterator[submission_pb2.IntakeTakeRequest], context: Any
    ) -> Iterator[submission_pb2.IntakeTakeResponse]:
        """One result for each batch, in their order; a few of them are in memory at a time.

        TLS looked at the gateway's certificate when the connection was opened; each batch is taken
        by what it is then, and one that has ended or was revoked ends the stream.
        """
        opening = next(requests, None)
        if opening is None:
            return
        with self._recorder.check("submit"):
            if opening.WhichOneof("kind") != "opening":
                raise error("INVALID_ARGUMENT", "A stream begins with its opening.")
        self._admit(context, opening.opening)
        with self._recorder.check("submit"):
            refuse_unknown_fields(opening)
        sender = Sender(asking_from(opening.opening.asking), opening.opening.contract)
        with self._telemetry.request("node.take", context.invocation_metadata()) as trace:

            def arrive(batch: submission_pb2.IntakeTakeRequest) -> Arrived:
                self._present(context)
                return self._arrived(sender, batch, trace.id)

            reading = _Reading(arrive)
            reading.start(requests)
            try:
                for arrived in reading:
                    result = self._intaking.result(arrived)
                    yield submission_pb2.IntakeTakeResponse(result=result)
            finally:
                reading.end()

    def _arrived(
        self, sender: Sender, request: submission_pb2.IntakeTakeRequest, trace_id: str
    ) -> Arrived:
        with self._recorder.check("submit"):
            if request.WhichOneof("kind") != "batch":
                raise error("INVALID_ARGUMENT", "After its opening a stream holds batches.")
        return self._intaking.arrive(sender, request.batch, trace_id=trace_id)


class _Reading:
    """Reads ahead of the results, so that batches of one stream can share a commit."""

    def __init__(self, arrive: Callable[[submission_pb2.IntakeTakeRequest], Arrived]) -> None:
        self._arrive = arrive
        self._found: queue.Queue[Arrived | BaseException | None] = queue.Queue(AHEAD)
        self._ended = threading.Event()

    def start(self, requests: Iterator[submission_pb2.IntakeTakeRequest]) -> None:
        """Reads on a thread of its own."""
        threading.Thread(target=self._read, args=(requests,), daemon=True).start()

    def __iter__(self) -> Iterator[Arrived]:
        while (found := self._found.get()) is not None:
            if isinstance(found, BaseException):
                raise found
            yield found

    def end(self) -> None:
        """Nobody wants any more."""
        self._ended.set()

    def _read(self, requests: Iterator[submission_pb2.IntakeTakeRequest]) -> None:
        last: BaseException | None = None
        try:
            for request in requests:
                self._put(self._arrive(request))
                if self._ended.is_set():
                    return
        except BaseException as failure:  # noqa: BLE001 - it is raised where the call ends
            last = failure
        if last is not None:
            self._put(last)
        self._put(None)

    def _put(self, found: Arrived | BaseException | None) -> None:
        while not self._ended.is_set():
            try:
                self._found.put(found, timeout=0.5)
            except queue.Full:
                continue
            return
