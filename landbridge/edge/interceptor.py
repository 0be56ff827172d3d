"""What every call passes on its way in and out: our deadline, and how errors leave."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext, suppress
from typing import Any, TypeVar, cast

import grpc

from landbridge.edge import wanted
from landbridge.edge.calls import Calls
from landbridge.edge.pool import starved
from landbridge.edge.room import authorization
from landbridge.errors import LandbridgeError, error
from landbridge.status import to_status

Request = TypeVar("Request")
Response = TypeVar("Response")

Report = Callable[[BaseException], None]
"""Takes an exception for the operator's eyes; what it holds may come from the data."""


class Boundary(grpc.ServerInterceptor):
    """Nothing but a reply or a status of the catalogue leaves; every call has a deadline.

    A `LandbridgeError` leaves as its own status. Any other exception goes to `report` and leaves as
    FAULT with the constant sentence; so does an error of reason FAULT, whose sentence promises that
    the operator's log says where. A servicer raises and never calls `context.abort`: an abort
    counts as a defect, because its text was not written for the wire.

    The servicer's `context.time_remaining()` is the caller's, at most `maximum_seconds` after the
    servicer began; gRPC itself shows a call without deadline as 9.2e18 seconds. Nothing is stopped
    when it reaches 0: whoever works asks for it, or says how it is stopped (`edge.wanted`).

    Unary calls only; a streaming method is not served at all rather than unguarded, unless it is
    `Guarded` itself.
    """

    def __init__(
        self,
        report: Report,
        *,
        maximum_seconds: float,
        clock: Callable[[], float] = time.monotonic,
        calls: Calls | None = None,
    ) -> None:
        self._report = report
        self._calls = calls
        self._maximum_seconds = maximum_seconds
        self._clock = clock
        # By method, of those that this server has: gRPC asks for the handler at every call.
        self._made: dict[str, tuple[Any, Any]] = {}

    def intercept_service(
        self,
        continuation: Callable[
            [grpc.HandlerCallDetails], grpc.RpcMethodHandler[Request, Response] | None
        ],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler[Request, Response] | None:
        """The handler of the method, guarded."""
        handler = continuation(handler_call_details)
        if handler is None:
            return None
        made = self._made.get(handler_call_details.method)
        if made is not None and made[0] is handler:
            return cast("grpc.RpcMethodHandler[Request, Response]", made[1])
        guarded = (
            self._guarded(handler) if handler.unary_stream is None else self._streaming(handler)
        )
        self._made[handler_call_details.method] = (handler, guarded)
        return guarded

    def _guarded(
        self, handler: grpc.RpcMethodHandler[Request, Response]
    ) -> grpc.RpcMethodHandler[Request, Response]:
        serve = handler.unary_unary
        if serve is None:
            if isinstance(handler.stream_stream, Guarded):
                return handler
            raise TypeError("Boundary guards unary requests only; a stream of them was registered.")

        def guarded(request: Request, context: grpc.ServicerContext) -> Response:
            timed = self.timed(context)
            try:
                with wanted.call(context), self.begun(timed):
                    return serve(request, timed)
            except BaseException as failure:  # noqa: BLE001 - SystemExit too: a call must end
                status = self.status(failure)
            context.abort_with_status(status)  # raises

        return grpc.unary_unary_rpc_method_handler(
            guarded,
            request_deserializer=handler.request_deserializer,
            response_serializer=handler.response_serializer,
        )

    def _streaming(
        self, handler: grpc.RpcMethodHandler[Request, Response]
    ) -> grpc.RpcMethodHandler[Request, Response]:
        """A method that tells as it goes: what was said stands, and the end may be a refusal."""
        serve: Callable[[Any, grpc.ServicerContext], Iterator[Any]] = handler.unary_stream  # type: ignore[assignment]

        def guarded(request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
            timed = self.timed(context)
            try:
                with self.begun(timed):
                    yield from serve(request, timed)
            except GeneratorExit:
                raise  # whoever listened has gone
            except BaseException as failure:  # noqa: BLE001 - SystemExit too: a call must end
                status = self.status(failure)
            else:
                return
            context.abort_with_status(status)  # raises

        return grpc.unary_stream_rpc_method_handler(
            guarded,
            request_deserializer=handler.request_deserializer,
            response_serializer=handler.response_serializer,
        )

    def timed(self, context: grpc.ServicerContext) -> grpc.ServicerContext:
        """The context as a servicer sees it: gRPC's own, with our deadline from now on."""
        end = self._clock() + self._maximum_seconds
        return cast(grpc.ServicerContext, _Timed(context, end, self._clock))

    def begun(self, context: grpc.ServicerContext) -> AbstractContextManager[None]:
        """The call, for what the server's calls share among themselves."""
        if self._calls is None:
            return nullcontext()
        shown = authorization(context.invocation_metadata())
        return self._calls.begun(context.time_remaining, context.is_active, shown)

    def written(self, refusal: LandbridgeError) -> grpc.Status:
        """A refusal as it leaves."""
        return to_status(refusal)

    def status(self, failure: BaseException) -> grpc.Status:
        """What may leave of whatever was raised; a defect is reported."""
        if not isinstance(failure, LandbridgeError) or failure.reason == "FAULT":
            return self._fault(failure)
        try:
            return self.written(failure)
        except Exception as defect:  # noqa: BLE001 - its text must not reach the wire either
            return self._fault(defect)
        finally:
            _let_go(failure)

    def _fault(self, defect: BaseException) -> grpc.Status:
        with suppress(Exception):  # a broken report must not hold up or change a reply
            self._report(defect)
        return to_status(_told(defect))


def _told(defect: BaseException) -> LandbridgeError:
    """What a caller hears of a defect; that there was no thread is none, and passes."""
    if starved(defect):
        return error("TOO_BUSY", "The system gives the server no more threads.")
    return error("FAULT")


class Guarded:
    """A method that streams both ways, whose errors leave as those of unary ones do."""

    def __init__(self, answer: Callable[[Any, Any], Iterator[Any]], report: Report) -> None:
        self._answer = answer
        self._report = report

    def __call__(self, requests: Any, context: Any) -> Iterator[Any]:
        """What gRPC calls."""
        try:
            yield from self._answer(requests, context)
        except LandbridgeError as refusal:
            status = to_status(refusal)
        except Exception as defect:  # noqa: BLE001 - a call must end, and say nothing of why
            if isinstance(defect, grpc.RpcError) and not context.is_active():
                return  # the caller's side of the stream ended with the call; nobody is listening
            with suppress(Exception):
                self._report(defect)
            status = to_status(_told(defect))
        else:
            return
        context.abort_with_status(status)


class _Timed:
    """The context as the servicer sees it: gRPC's own, with our deadline."""

    __slots__ = ("_clock", "_context", "_end")

    def __init__(
        self, context: grpc.ServicerContext, end: float, clock: Callable[[], float]
    ) -> None:
        self._context = context
        self._end = end
        self._clock = clock

    def time_remaining(self) -> float:
        """Seconds until the earlier of the caller's deadline and ours; never under 0."""
        ours = self._end - self._clock()
        theirs = self._context.time_remaining()
        return max(0.0, ours if theirs is None else min(ours, theirs))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)


def _let_go(failure: BaseException | None) -> None:
    """Forgets where a refusal was raised, which nobody asks; of a defect it is told.

    A frame that keeps what it raised is a circle, which holds the call, and with it one of the
    connection's streams, until the collector comes by, which it hardly does.
    """
    while failure is not None:
        failure.__traceback__ = None
        failure = failure.__context__
