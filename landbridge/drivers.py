"""Who does the steps of a call: with threads and blocking calls, and with asyncio.

Everything that is decided about a call is decided in its steps; a driver sends and waits.
"""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Final, TypeVar, cast

import grpc
from google.protobuf.message import Message

from landbridge import streams, tracing
from landbridge.errors import LandbridgeError, error
from landbridge.exchange import HandOn, Hear, Listen, Outcome, Pause, Replies, Step, Steps
from landbridge.status import from_rpc_error
from landbridge.stubs import Stubs
from landbridge.transport import TokenSource, Way, bearer, current_token

Result = TypeVar("Result")

TIMEOUT: Final = 30.0


class BlockingDriver:
    """Blocks; may be used from several threads. `timeout`: seconds for a call that names none."""

    def __init__(
        self, way: Way, token: TokenSource | None, timeout: float, clock: Callable[[], float]
    ) -> None:
        self.target = way.target
        self.timeout = timeout
        self.clock = clock
        self._token = token
        self._channel = way.channel()
        self._stubs = Stubs(self._channel)
        self._closed = False

    def carry(self, steps: Steps[Result]) -> Result:
        """What the steps lead to."""
        outcome: Outcome = None
        while True:
            try:
                step = steps.send(outcome)
            except StopIteration as end:
                return cast(Result, end.value)
            outcome = self.do(step)

    def do(self, step: Step) -> Outcome:
        """One step, and what came of it."""
        if isinstance(step, Pause):
            time.sleep(step.seconds)
            return None
        if isinstance(step, Hear):
            return self._hear(step.replies)
        if self._closed:
            raise _closed()
        token = current_token(self._token)
        if inspect.isawaitable(token):
            raise error("INVALID_ARGUMENT", "token may be a coroutine function for aconnect only.")
        if isinstance(step, HandOn):
            method = self._stubs.method(step.service, step.method)
            return streams.hand_on(step, method, _needed(token))
        metadata = bearer(token) if token is not None else ()
        with tracing.sending(step, self.target) as sending:
            try:
                reply = self._stubs.method(step.service, step.method)(
                    step.request, timeout=step.seconds, metadata=(*metadata, *sending.headers)
                )
            except grpc.RpcError as failure:
                found = _placed(from_rpc_error(failure), self.target)
                sending.failed(found)
                return found
            except ValueError:
                if self._closed:  # by another thread, since we looked
                    raise _closed() from None
                raise
            if isinstance(step, Listen):
                return Replies(reply)
            sending.replied()
            return cast(Message, reply)

    def _hear(self, replies: Replies) -> Outcome:
        try:
            return cast(Message | None, next(replies.source, None))
        except grpc.RpcError as failure:
            if self._closed:
                raise _closed() from None
            return _placed(from_rpc_error(failure), self.target)

    def close(self) -> None:
        """Ends the connection; calls that still run fail."""
        self._closed = True
        self._channel.close()


class AwaitedDriver:
    """`BlockingDriver` for the event loop that runs when it is made."""

    def __init__(
        self, way: Way, token: TokenSource | None, timeout: float, clock: Callable[[], float]
    ) -> None:
        self.target = way.target
        self.timeout = timeout
        self.clock = clock
        self._token = token
        self._channel = way.aio_channel()
        self._stubs = Stubs(self._channel)
        self._closed = False

    async def carry(self, steps: Steps[Result]) -> Result:
        """What the steps lead to."""
        outcome: Outcome = None
        while True:
            try:
                step = steps.send(outcome)
            except StopIteration as end:
                return cast(Result, end.value)
            outcome = await self.do(step)

    async def do(self, step: Step) -> Outcome:
        """One step, and what came of it."""
        if isinstance(step, Pause):
            await asyncio.sleep(step.seconds)
            return None
        if isinstance(step, Hear):
            return await self._hear(step.replies)
        if self._closed:
            raise _closed()
        token = current_token(self._token)
        if inspect.isawaitable(token):
            token = await token
        if isinstance(step, HandOn):
            method = self._stubs.method(step.service, step.method)
            return await streams.hand_on_awaited(step, method, _needed(token))
        metadata = bearer(token) if token is not None else ()
        method = self._stubs.method(step.service, step.method)
        with tracing.sending(step, self.target) as sending:
            try:
                call = method(
                    step.request, timeout=step.seconds, metadata=(*metadata, *sending.headers)
                )
                if isinstance(step, Listen):
                    return Replies(aiter(call))
                reply = cast(Message, await call)
            except grpc.RpcError as failure:
                found = _placed(from_rpc_error(failure), self.target)
                sending.failed(found)
                return found
            sending.replied()
            return reply

    async def _hear(self, replies: Replies) -> Outcome:
        try:
            return cast(Message | None, await anext(replies.source, None))
        except grpc.RpcError as failure:
            return _placed(from_rpc_error(failure), self.target)

    async def close(self) -> None:
        """Ends the connection; calls that still run fail."""
        self._closed = True
        await self._channel.close()


def _needed(token: str | None) -> str:
    """The token that a stream is opened with; raises TOKEN_MISSING."""
    if token is None:
        raise error("TOKEN_MISSING", "This needs a token; a certificate is not one.")
    return token


def _placed(failure: LandbridgeError, target: str) -> LandbridgeError:
    """The same failure; where nobody answered, it says at which address."""
    if failure.reason != "GATEWAY_UNREACHABLE" or failure.hint:
        return failure
    return replace(
        failure,
        message=f"The gateway at {target} cannot be reached.",
        hint="It must be running there, with a certificate that ca signs for that host name.",
    )


def _closed() -> LandbridgeError:
    return error("INVALID_ARGUMENT", "This client is closed; connect again.")
