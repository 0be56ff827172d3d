"""The gateway's gRPC face: convert, one use case, convert."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import cast

import grpc

from gateway.asking import Asking
from gateway.departments import Departments
from gateway.directory import Groups, Procedures, directory_response
from gateway.request import Request
from landbridge.edge.telemetry import Telemetry
from landbridge.identity.certificates import Presented, presented
from landbridge.v1 import gateway_pb2, gateway_pb2_grpc, node_pb2


class GatewayServicer(gateway_pb2_grpc.GatewayServicer):
    """What callers speak to."""

    def __init__(
        self,
        asking: Asking,
        departments: Departments,
        telemetry: Telemetry,
        federation: str = "",
        procedures: Procedures = lambda _: (),
        groups: Groups = lambda _, __: (),
    ) -> None:
        self._groups = groups
        self._federation = federation
        self._procedures = procedures
        self._asking = asking
        self._departments = departments
        self._telemetry = telemetry

    def Query(
        self, request: gateway_pb2.QueryRequest, context: grpc.ServicerContext
    ) -> gateway_pb2.QueryResponse:
        """Answers one SELECT of aggregates."""
        with self.request("query", request.purpose, request.question_id, context) as asked:
            return self._asking.query(
                asked,
                request.sql,
                request.micro_epsilon,
                partial=request.partial,
                mixed_dates=request.mixed_dates,
                parameters=request.parameters,
            )

    def Explain(
        self, request: gateway_pb2.ExplainRequest, context: grpc.ServicerContext
    ) -> gateway_pb2.ExplainResponse:
        """What Query would do."""
        with self.request("explain", request.purpose, "0" * 32, context) as asked:
            return self._asking.explain(
                asked,
                request.sql,
                request.micro_epsilon,
                mixed_dates=request.mixed_dates,
                parameters=request.parameters,
            )

    def Call(
        self, request: gateway_pb2.CallRequest, context: grpc.ServicerContext
    ) -> gateway_pb2.CallResponse:
        """One handler, one subject."""

        def arguments(message: node_pb2.ReplyRequest) -> None:
            for name, literal in request.arguments.items():
                message.arguments[name].CopyFrom(literal)
            message.consent = request.consent

        with self.request("call", request.purpose, request.question_id, context) as asked:
            return self._asking.call(asked, request.handler, arguments)

    def Directory(
        self, request: gateway_pb2.DirectoryRequest, context: grpc.ServicerContext
    ) -> gateway_pb2.DirectoryResponse:
        """Members, as far as this caller may use them."""
        del request  # it says nothing yet
        caller = self._asking.identify(context.invocation_metadata(), _certificate(context))
        with self.request("directory", "", "0" * 32, context) as asked:
            groups = self._groups(asked, caller)
        return directory_response(
            self._asking.offered(caller),
            self._departments.silent,
            self._federation,
            self._procedures(caller),
            groups,
        )

    def admit(self, context: grpc.ServicerContext) -> None:
        """Raises, and logs it, for a caller whose token is not good."""
        self._asking.identify(context.invocation_metadata(), _certificate(context))

    @contextmanager
    def request(
        self, step: str, purpose: str, question_id: str, context: grpc.ServicerContext
    ) -> Iterator[Request]:
        """A call as the use cases take it, traced while it runs."""
        metadata = context.invocation_metadata()
        with self._telemetry.request(f"gateway.{step}", metadata) as trace:
            yield Request(
                metadata,
                purpose,
                question_id,
                context.time_remaining,
                trace,
                _certificate(context),
            )


def _certificate(context: grpc.ServicerContext) -> Presented:
    return presented(cast(Mapping[str, Iterable[bytes]], context.auth_context()))
