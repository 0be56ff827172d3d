"""A call's message comes within seconds, or the call ends: no trickle holds a thread for long.

gRPC gives a call its thread when its headers are there and lets that wait for the message for ever,
before anybody can ask who it is from: a stranger's few hundred open streams would be all threads
that a server has. So each call is served as a stream of one message, which looks the same on the
wire, whose coming has an end.
"""

from __future__ import annotations

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, Final, TypeVar, cast

import grpc

from landbridge.errors import LandbridgeError, error
from landbridge.status import to_status

Request = TypeVar("Request")
Response = TypeVar("Response")

SECONDS: Final = 10.0
"""For a message of 4 MB, over a line of three megabits a second and more."""
GRACE: Final = 0.5
"""Seconds in which nobody has to give way."""
LATEST: Final = 3.0
"""Seconds after which they have to even if the message may lie here and not be read yet."""
_MARGIN: Final = 0.1
_LOOK: Final = 0.25


class Arrivals(grpc.ServerInterceptor):
    """Outermost. Ends calls whose message is not there after `seconds`, and, where more than `most`
    wait for theirs, those that have waited longest: CANCELLED, as of a line that was lost.

    A server that has more to do than it can reads late what has come long ago. gRPC takes in calls
    and messages one after the other, in the order in which they came, and the next call of a method
    only after the one before it. So when a call is taken in, all is read that had come when the one
    before it was: who still waits since then has sent nothing, and only they give way so early.
    """

    def __init__(
        self,
        most: int,
        *,
        seconds: float = SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._most = most
        self._seconds = seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._waiting: OrderedDict[int, tuple[float, grpc.ServicerContext]] = OrderedDict()
        self._number = 0
        self._made: dict[str, tuple[Any, Any]] = {}
        # When a call of that method was taken in last; up to when all is read that had come.
        self._taken_in: dict[str, float] = {}
        self._all_read = -math.inf
        self._closed = threading.Event()

    def start(self) -> None:
        """Looks four times a second from now on."""
        threading.Thread(target=self._watch, name="arrivals", daemon=True).start()

    def close(self) -> None:
        """Looks no more."""
        self._closed.set()

    def intercept_service(
        self,
        continuation: Callable[
            [grpc.HandlerCallDetails], grpc.RpcMethodHandler[Request, Response] | None
        ],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler[Request, Response] | None:
        """The handler of the method; who takes a stream of requests waits for them itself."""
        handler = continuation(handler_call_details)
        if handler is None or (handler.request_streaming and handler.stream_stream is None):
            return handler
        method = handler_call_details.method
        self._all_read = max(self._all_read, self._taken_in.get(method, -math.inf))
        self._taken_in[method] = self._clock()
        made = self._made.get(method)
        if made is not None and made[0] is handler:
            return cast("grpc.RpcMethodHandler[Request, Response]", made[1])
        taken = self._taken(handler)
        self._made[method] = (handler, taken)
        return taken

    def look(self) -> None:
        """Ends what has waited too long, and those too many."""
        now = self._clock()
        contexts = []
        with self._lock:
            while self._waiting:
                number, (since, context) = next(iter(self._waiting.items()))
                silent = since + _MARGIN < self._all_read
                grace = GRACE if silent else LATEST
                many = len(self._waiting) > self._most
                if now - since < (grace if many else self._seconds):
                    break  # and so are all that came later
                del self._waiting[number]
                contexts.append(context)
        for context in contexts:
            context.cancel()

    def _taken(
        self, handler: grpc.RpcMethodHandler[Request, Response]
    ) -> grpc.RpcMethodHandler[Request, Response]:
        deserialize = cast("Callable[[bytes], Any] | None", handler.request_deserializer)
        made: Any
        if handler.stream_stream is not None:
            talk: Any = handler.stream_stream

            def talked(messages: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[Any]:
                yield from talk(_read(messages, deserialize), context)

            made = grpc.stream_stream_rpc_method_handler(
                talked, response_serializer=handler.response_serializer
            )
        elif handler.unary_stream is not None:
            stream: Any = handler.unary_stream

            def told(messages: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[Any]:
                yield from stream(self._message(messages, context, deserialize), context)

            made = grpc.stream_stream_rpc_method_handler(
                told, response_serializer=handler.response_serializer
            )
        else:
            serve: Any = handler.unary_unary

            def answered(messages: Iterator[bytes], context: grpc.ServicerContext) -> Any:
                return serve(self._message(messages, context, deserialize), context)

            made = grpc.stream_unary_rpc_method_handler(
                answered, response_serializer=handler.response_serializer
            )
        return cast("grpc.RpcMethodHandler[Request, Response]", made)

    def _message(
        self,
        messages: Iterator[bytes],
        context: grpc.ServicerContext,
        deserialize: Callable[[bytes], Any] | None,
    ) -> Any:
        number = self._wait(context)
        try:
            content = next(messages, None)
        finally:
            with self._lock:
                self._waiting.pop(number, None)
        try:
            if content is None:
                raise error("INVALID_ARGUMENT", "The call has no message.")
            return _of(content, deserialize)
        except LandbridgeError as refused:
            refusal = to_status(refused)
        context.abort_with_status(refusal)  # raises

    def _wait(self, context: grpc.ServicerContext) -> int:
        """Counts the call among those that wait."""
        with self._lock:
            self._number += 1
            self._waiting[self._number] = (self._clock(), context)
            return self._number

    def _watch(self) -> None:
        while not self._closed.wait(_LOOK):
            self.look()


def _read(messages: Iterator[bytes], deserialize: Callable[[bytes], Any] | None) -> Iterator[Any]:
    for content in messages:
        yield _of(content, deserialize)


def _of(content: bytes, deserialize: Callable[[bytes], Any] | None) -> Any:
    with suppress(Exception):  # whatever a parser says of a stranger's bytes stays here
        return content if deserialize is None else deserialize(content)
    # Without a name: a frame that holds what it raises is a circle, which holds the call, and with
    # it one of the connection's streams, until the collector comes by, which it hardly does.
    raise error("INVALID_ARGUMENT", "The message is not one of this method.")
