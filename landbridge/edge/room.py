"""Who is turned away at the door: quickly, with the catalogue's words, before anything is read.

A service that takes more calls than it can answer answers none in time. So only so many are in it
at once; and whoever was told that they have too many here, and still has, is told so again without
being looked at. Turning somebody away costs a small part of an answer: no thread of those that
answer, no token, no entry of its own in the log (they are counted there), no request to a node.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar, cast

import grpc

from landbridge.edge.calls import Calls
from landbridge.edge.health import SERVICE
from landbridge.edge.pool import whole_pool
from landbridge.errors import error
from landbridge.status import to_status

Request = TypeVar("Request")
Response = TypeVar("Response")


class Room(grpc.ServerInterceptor):
    """Outermost. At most `most` calls and streams are here at a time; what comes on top is refused
    TOO_BUSY, or TOO_MANY_AT_ONCE where its caller has too many. Health is always told.
    """

    def __init__(self, most: int, calls: Calls | None = None) -> None:
        self._most = most
        self._calls = calls
        self._lock = threading.Lock()
        self._here = 0
        self._made: dict[str, tuple[Any, Any]] = {}
        # A thread of its own: those that answer have enough to do.
        self._pool = whole_pool(1, "door")
        self._busy = self._refusing("TOO_BUSY")
        self._too_many = self._refusing("TOO_MANY_AT_ONCE")

    def close(self) -> None:
        """Turns nobody away any more."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def intercept_service(
        self,
        continuation: Callable[
            [grpc.HandlerCallDetails], grpc.RpcMethodHandler[Request, Response] | None
        ],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler[Request, Response] | None:
        """The handler of the method, or one that refuses."""
        handler = continuation(handler_call_details)
        method = handler_call_details.method
        if handler is None or method.startswith(f"/{SERVICE}/"):
            return handler
        single = not handler.response_streaming
        if self._calls is not None and self._calls.crowded(
            authorization(handler_call_details.invocation_metadata)
        ):
            return cast("grpc.RpcMethodHandler[Request, Response]", self._too_many)
        # The last thing that is done here: nothing that comes after it can fail.
        with self._lock:
            if self._here >= self._most:
                return cast("grpc.RpcMethodHandler[Request, Response]", self._busy)
            self._here += 1
        made = self._made.get(method)
        if made is None or made[0] is not handler:
            made = self._made[method] = (handler, self._inside(handler, single=single))
        return cast("grpc.RpcMethodHandler[Request, Response]", made[1])

    def _inside(self, handler: Any, *, single: bool) -> Any:
        """The same, which says when it is over. Everything here takes a stream of requests."""

        def left() -> None:
            with self._lock:
                self._here -= 1

        if single:
            serve = handler.stream_unary

            def answered(messages: Any, context: grpc.ServicerContext) -> Any:
                try:
                    return serve(messages, context)
                finally:
                    left()

            return grpc.stream_unary_rpc_method_handler(
                answered, handler.request_deserializer, handler.response_serializer
            )
        stream = handler.stream_stream

        def told(messages: Any, context: grpc.ServicerContext) -> Iterator[Any]:
            try:
                yield from stream(messages, context)
            finally:
                left()

        return grpc.stream_stream_rpc_method_handler(
            told, handler.request_deserializer, handler.response_serializer
        )

    def _refusing(self, reason: str) -> Any:
        status = to_status(error(reason, rule="limits.calls"))

        def refuse(_: Any, context: grpc.ServicerContext) -> None:
            context.abort_with_status(status)

        refuse.experimental_thread_pool = self._pool  # type: ignore[attr-defined]
        return grpc.stream_unary_rpc_method_handler(refuse)


def authorization(metadata: Sequence[tuple[str, str | bytes]]) -> str:
    """What stands under `authorization`, unread; empty where nothing does."""
    for key, value in metadata or ():
        if key == "authorization" and isinstance(value, str):
            return value
    return ""
