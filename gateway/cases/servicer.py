"""The gateway's gRPC face for cases: convert, one use case, convert."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import cast

import grpc

from gateway.cases.cases import Cases
from gateway.request import Request
from landbridge.edge.telemetry import Telemetry
from landbridge.identity.certificates import presented
from landbridge.v1 import case_pb2, case_pb2_grpc


class CasesServicer(case_pb2_grpc.CasesServicer):
    """What callers speak."""

    def __init__(self, cases: Cases, telemetry: Telemetry) -> None:
        self._cases = cases
        self._telemetry = telemetry

    def DescribeProcedure(
        self, request: case_pb2.DescribeProcedureRequest, context: grpc.ServicerContext
    ) -> case_pb2.DescribeProcedureResponse:
        """What a form holds."""
        with self._request("describe", context) as asked:
            return self._cases.describe(asked, request.procedure)

    def Open(
        self, request: case_pb2.OpenRequest, context: grpc.ServicerContext
    ) -> case_pb2.OpenResponse:
        """A new case."""
        with self._request("open", context) as asked:
            return self._cases.open(asked, request)

    def Show(
        self, request: case_pb2.ShowRequest, context: grpc.ServicerContext
    ) -> case_pb2.ShowResponse:
        """A case as it stands."""
        with self._request("show", context) as asked:
            return self._cases.show(asked, request.case_id)

    def Follow(
        self, request: case_pb2.CasesFollowRequest, context: grpc.ServicerContext
    ) -> case_pb2.CasesFollowResponse:
        """What changed."""
        with self._request("follow", context) as asked:
            return self._cases.follow(asked, request)

    def List(
        self, request: case_pb2.ListRequest, context: grpc.ServicerContext
    ) -> case_pb2.ListResponse:
        """Cases that the caller may see."""
        with self._request("list", context) as asked:
            return self._cases.list(asked, request)

    def Cancel(
        self, request: case_pb2.CancelRequest, context: grpc.ServicerContext
    ) -> case_pb2.CancelResponse:
        """Ends a case."""
        with self._request("cancel", context) as asked:
            return self._cases.cancel(asked, request.case_id)

    @contextmanager
    def _request(self, step: str, context: grpc.ServicerContext) -> Iterator[Request]:
        metadata = context.invocation_metadata()
        certificate = presented(cast(Mapping[str, Iterable[bytes]], context.auth_context()))
        with self._telemetry.request(f"gateway.case_{step}", metadata) as trace:
            yield Request(metadata, "", "0" * 32, context.time_remaining, trace, certificate)
