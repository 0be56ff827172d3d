"""The boundary for methods that stream: the whole reply is made before its first message leaves.

So a call ends with all of an answer or with a status, never with half of one, and the replies of a
stream are as bounded as whoever makes them keeps them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import grpc

from landbridge.edge.interceptor import Boundary, Request, Response
from landbridge.errors import LandbridgeError
from landbridge.status import to_status


class StreamBoundary(Boundary):
    """As `Boundary`, for unary methods and for streams of replies.

    Whoever streams from us are other people's tools, which show a status's text and nothing else of
    it, so the text says everything.
    """

    def written(self, refusal: LandbridgeError) -> grpc.Status:
        """A refusal as it leaves."""
        return to_status(refusal, aloud=True)

    def intercept_service(
        self,
        continuation: Callable[
            [grpc.HandlerCallDetails], grpc.RpcMethodHandler[Request, Response] | None
        ],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler[Request, Response] | None:
        """The handler of the method, guarded."""
        handler = continuation(handler_call_details)
        if handler is None or not handler.response_streaming:
            return super().intercept_service(lambda _: handler, handler_call_details)
        serve: Callable[[Any, grpc.ServicerContext], Iterable[Response]]
        serve = handler.stream_stream if handler.request_streaming else handler.unary_stream  # type: ignore[assignment]

        def guarded(request: Any, context: grpc.ServicerContext) -> Iterator[Response]:
            try:
                timed = self.timed(context)
                with self.begun(timed):
                    replies = list(serve(request, timed))
            except BaseException as failure:  # noqa: BLE001 - SystemExit too: a call must end
                status = self.status(failure)
                context.abort_with_status(status)  # raises
            yield from replies

        made = (
            grpc.stream_stream_rpc_method_handler
            if handler.request_streaming
            else grpc.unary_stream_rpc_method_handler
        )
        return made(
            guarded,
            request_deserializer=handler.request_deserializer,
            response_serializer=handler.response_serializer,
        )
