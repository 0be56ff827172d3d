"""The two drivers of `Sending`: with threads and with asyncio."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, Final

import grpc

from landbridge.errors import LandbridgeError, error
from landbridge.status import from_rpc_error
from landbridge.submission.sending import UNDER_WAY, Sending, passing
from landbridge.transport import bearer
from landbridge.v1 import submission_pb2

STREAM_SECONDS: Final = 120.0
"""The gateway ends a stream earlier; this is for one that does not."""
PAUSE: Final = 0.25
LONGEST_PAUSE: Final = 5.0

Token = Callable[[], str]
Describe = Callable[[], Any]


class _Patience:
    """Gives up after so long without any record having come to its end."""

    def __init__(self, sending: Sending, seconds: float) -> None:
        self._sending = sending
        self._seconds = seconds
        self._finished = sending.finished
        self._since = time.monotonic()
        self._pause = PAUSE

    def pause(self, failure: LandbridgeError) -> float:
        """How long to wait before the next attempt; raises the failure when it was long enough."""
        if self._sending.finished > self._finished:
            self._finished, self._since = self._sending.finished, time.monotonic()
            self._pause = PAUSE
        if time.monotonic() - self._since >= self._seconds:
            raise failure
        wait = max(self._pause, min(failure.retry_after or 0.0, LONGEST_PAUSE))
        self._pause = min(2 * self._pause, LONGEST_PAUSE)
        return wait


def send(
    sending: Sending,
    submit: Callable[..., Any],
    token: Token,
    describe: Describe,
    seconds: float,
) -> None:
    """Returns when everything has its result; `seconds` without progress are too many.

    `submit` is the stub's method, `describe` asks for the description anew.
    """
    patience = _Patience(sending, seconds)
    while not sending.done:
        try:
            if sending.outdated:
                sending.describe(describe())
            _stream(sending, submit, token())
            failure = error("GATEWAY_UNREACHABLE")
        except grpc.RpcError as broken:
            failure = _passing(broken)
        except LandbridgeError as refusal:
            if refusal.status != "UNAVAILABLE":
                raise
            failure = refusal
        if sending.failure is not None:
            raise sending.failure
        if not sending.done and not sending.outdated:
            time.sleep(patience.pause(failure))
        elif sending.outdated:
            patience.pause(failure)


def _stream(sending: Sending, submit: Callable[..., Any], token: str) -> None:
    stream, opening = sending.begin()
    places = threading.Semaphore(UNDER_WAY)
    ended = threading.Event()

    def requests() -> Iterator[submission_pb2.SubmitRequest]:
        """What gRPC's own thread sends, one after the other."""
        yield opening
        while not ended.is_set():
            places.acquire()
            if ended.is_set():
                return
            request = sending.next(stream, token)
            if request is None:
                return
            yield request

    call = submit(requests(), timeout=STREAM_SECONDS, metadata=bearer(token))
    try:
        for response in call:
            sending.take(stream, response)
            places.release()
    finally:
        ended.set()
        places.release()
        call.cancel()


async def asend(
    sending: Sending,
    submit: Callable[..., Any],
    token: Callable[[], Awaitable[str]],
    describe: Callable[[], Awaitable[Any]],
    seconds: float,
) -> None:
    """The same for asyncio."""
    patience = _Patience(sending, seconds)
    while not sending.done:
        try:
            if sending.outdated:
                sending.describe(await describe())
            await _astream(sending, submit, await token())
            failure = error("GATEWAY_UNREACHABLE")
        except grpc.RpcError as broken:
            failure = _passing(broken)
        except LandbridgeError as refusal:
            if refusal.status != "UNAVAILABLE":
                raise
            failure = refusal
        if sending.failure is not None:
            raise sending.failure
        if not sending.done and not sending.outdated:
            await asyncio.sleep(patience.pause(failure))
        elif sending.outdated:
            patience.pause(failure)


async def _astream(sending: Sending, submit: Callable[..., Any], token: str) -> None:
    stream, opening = sending.begin()
    places = asyncio.Semaphore(UNDER_WAY)
    call = submit(timeout=STREAM_SECONDS, metadata=bearer(token))

    async def write() -> None:
        await call.write(opening)
        while True:
            await places.acquire()
            request = sending.next(stream, token)
            if request is None:
                break
            await call.write(request)
        await call.done_writing()

    writer = asyncio.ensure_future(write())
    try:
        async for response in call:
            sending.take(stream, response)
            places.release()
    finally:
        writer.cancel()
        await asyncio.gather(writer, return_exceptions=True)
        call.cancel()


def _passing(broken: grpc.RpcError) -> LandbridgeError:
    """What is to be waited for; raises what waiting does not mend."""
    failure = from_rpc_error(broken)
    code = broken.code() if isinstance(broken, grpc.Call | grpc.aio.AioRpcError) else None
    if not passing(failure, "" if code is None else code.name):
        raise failure
    return failure
