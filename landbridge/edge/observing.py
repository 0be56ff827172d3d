"""Every call is seen once, from outside: a span, a duration, a line for the operator."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import grpc
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2  # type: ignore[import-untyped]

from landbridge.edge.health import SERVICE
from landbridge.edge.telemetry import Call, Telemetry

Request = TypeVar("Request")
Response = TypeVar("Response")

Ended = Callable[[str, str, str, float, str], None]
"""Takes method, status, reason, seconds and trace id of a call."""


def unheard(method: str, status: str, reason: str, seconds: float, trace: str) -> None:
    """Takes how a call ended, and tells nobody."""
    del method, status, reason, seconds, trace


_DETAILS = "grpc-status-details-bin"


class Observing(grpc.ServerInterceptor):
    """Stands outside of what maps errors, so it sees the status that leaves.

    Methods that the server does not have are not observed: their names are the caller's.
    """

    def __init__(self, telemetry: Telemetry, ended: Ended) -> None:
        self._telemetry = telemetry
        self._ended = ended
        self._made: dict[str, tuple[Any, Any]] = {}

    def intercept_service(
        self,
        continuation: Callable[
            [grpc.HandlerCallDetails], grpc.RpcMethodHandler[Request, Response] | None
        ],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler[Request, Response] | None:
        """The handler of the method, observed; a streaming one, and health, as they are."""
        handler = continuation(handler_call_details)
        method = handler_call_details.method.removeprefix("/")
        # A balancer asks every second: that would be most of every trace and log.
        if handler is None or handler.unary_unary is None or method.startswith(f"{SERVICE}/"):
            return handler
        made = self._made.get(method)
        if made is not None and made[0] is handler:
            return cast("grpc.RpcMethodHandler[Request, Response]", made[1])
        observed = self._observed(method, handler, handler.unary_unary)
        self._made[method] = (handler, observed)
        return observed

    def _observed(
        self,
        method: str,
        handler: grpc.RpcMethodHandler[Request, Response],
        serve: Callable[[Request, grpc.ServicerContext], Response],
    ) -> grpc.RpcMethodHandler[Request, Response]:
        def observed(request: Request, context: grpc.ServicerContext) -> Response:
            call = Call()
            try:
                with self._telemetry.call(method, context.invocation_metadata(), call):
                    try:
                        response = serve(request, context)
                    except BaseException:
                        call.status, call.reason = _how_it_ended(context)
                        raise
                    call.status = "OK"
                    return response
            finally:
                self._ended(method, call.status, call.reason, call.seconds, call.trace)

        return grpc.unary_unary_rpc_method_handler(
            observed,
            request_deserializer=handler.request_deserializer,
            response_serializer=handler.response_serializer,
        )


def _how_it_ended(context: Any) -> tuple[str, str]:
    """Status and reason of an aborted call. What gRPC keeps of it is not in its published types."""
    code = context.code()
    for key, value in context.trailing_metadata() or ():
        if key == _DETAILS:
            return code.name, _reason(value)
    return (code.name if code is not None else "UNKNOWN"), ""


def _reason(details: bytes) -> str:
    status = status_pb2.Status()
    info = error_details_pb2.ErrorInfo()
    try:
        status.ParseFromString(details)
        for detail in status.details:
            if detail.Unpack(info):
                return str(info.reason)
    except DecodeError:
        return ""
    return ""
