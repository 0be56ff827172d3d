"""The gateway's gRPC face for records that are handed in: convert, one use case, convert."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, cast

import grpc

from gateway.request import Request
from gateway.submitting import Submitting
from landbridge.edge.interceptor import Guarded, Report
from landbridge.edge.telemetry import Telemetry
from landbridge.errors import error
from landbridge.identity.certificates import presented
from landbridge.v1 import submission_pb2

SERVICE: Final = "landbridge.v1.Submissions"
SILENT: Final = 15.0
"""Seconds after which a stream on which nothing comes or goes is ended."""


class SubmissionsServicer:
    """What contributors speak."""

    def __init__(
        self, submitting: Submitting, telemetry: Telemetry, report: Report, silent: float = SILENT
    ) -> None:
        self._submitting = submitting
        self._telemetry = telemetry
        self._report = report
        self._silent = silent

    def register(self, server: grpc.Server) -> None:
        """Adds the service."""
        handlers: dict[str, grpc.RpcMethodHandler[Any, Any]] = {
            "DescribeCollection": grpc.unary_unary_rpc_method_handler(
                self.describe,
                request_deserializer=submission_pb2.DescribeCollectionRequest.FromString,
                response_serializer=submission_pb2.DescribeCollectionResponse.SerializeToString,
            ),
            "Submit": grpc.stream_stream_rpc_method_handler(
                Guarded(self.submit, self._report),
                request_deserializer=submission_pb2.SubmitRequest.FromString,
                response_serializer=submission_pb2.SubmitResponse.SerializeToString,
            ),
        }
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))

    def describe(
        self, request: submission_pb2.DescribeCollectionRequest, context: grpc.ServicerContext
    ) -> submission_pb2.DescribeCollectionResponse:
        """What records hold."""
        with self._request("describe_collection", request.purpose, context) as asked:
            return self._submitting.describe(asked, request.contract)

    def submit(
        self, requests: Iterator[submission_pb2.SubmitRequest], context: Any
    ) -> Iterator[submission_pb2.SubmitResponse]:
        """Batches in, results out."""
        watch = _Watch(context, self._silent)
        try:
            opening = next(requests, None)
            if opening is None:
                return
            if opening.WhichOneof("kind") != "opening":
                raise error("INVALID_ARGUMENT", "A stream begins with its opening.")
            with self._request("submit", opening.opening.purpose, context) as asked:
                batches = _batches(requests, watch)
                for response in self._submitting.submit(asked, opening.opening, batches):
                    watch.seen()
                    yield response
        finally:
            watch.end()

    @contextmanager
    def _request(self, step: str, purpose: str, context: grpc.ServicerContext) -> Iterator[Request]:
        metadata = context.invocation_metadata()
        certificate = presented(cast(Mapping[str, Iterable[bytes]], context.auth_context()))
        with self._telemetry.request(f"gateway.{step}", metadata) as trace:
            yield Request(metadata, purpose, "0" * 32, context.time_remaining, trace, certificate)


def _batches(
    requests: Iterator[submission_pb2.SubmitRequest], watch: _Watch
) -> Iterator[submission_pb2.SealedBatch]:
    for request in requests:
        watch.seen()
        if request.WhichOneof("kind") != "batch":
            raise error("INVALID_ARGUMENT", "After its opening a stream holds batches.")
        yield request.batch


class _Watch:
    """Ends a call on which nothing has happened for so long: a stream holds a thread."""

    def __init__(self, context: Any, seconds: float) -> None:
        self._context = context
        self._seconds = seconds
        self._lock = threading.Lock()
        self._timer: threading.Timer | None = None
        self._ended = False
        self.seen()

    def seen(self) -> None:
        """Something came or went."""
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
            if not self._ended:
                self._timer = threading.Timer(self._seconds, self._context.cancel)
                self._timer.daemon = True
                self._timer.start()

    def end(self) -> None:
        """The call is over."""
        with self._lock:
            self._ended = True
            if self._timer is not None:
                self._timer.cancel()
