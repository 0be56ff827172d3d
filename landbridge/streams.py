"""A stream both ways, carried with threads and with asyncio; it decides nothing of what goes."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from typing import Any, Final

import grpc
from google.protobuf.message import Message

from landbridge.errors import LandbridgeError, error
from landbridge.exchange import HandOn
from landbridge.status import from_rpc_error
from landbridge.transport import bearer

_GONE: Final = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.DEADLINE_EXCEEDED,
    }
)


def hand_on(step: HandOn, open_stream: Callable[..., Any], token: str) -> LandbridgeError | None:
    """Until the stream has ended: None where that was in order."""
    stream, opening = step.batches.begin()
    places = threading.Semaphore(step.under_way)
    ended = threading.Event()

    def requests() -> Iterator[Message]:
        """What gRPC's own thread sends, one after the other."""
        yield opening
        while not ended.is_set():
            places.acquire()
            if ended.is_set():
                return
            request = step.batches.next(stream, token)
            if request is None:
                return
            yield request

    call = open_stream(requests(), timeout=step.seconds, metadata=bearer(token))
    try:
        for response in call:
            step.batches.take(stream, response)
            places.release()
    except grpc.RpcError as broken:
        return _ended(broken)
    finally:
        ended.set()
        places.release()
        call.cancel()
    return None


async def hand_on_awaited(
    step: HandOn, open_stream: Callable[..., Any], token: str
) -> LandbridgeError | None:
    """The same for asyncio."""
    stream, opening = step.batches.begin()
    places = asyncio.Semaphore(step.under_way)
    call = open_stream(timeout=step.seconds, metadata=bearer(token))

    async def write() -> None:
        await call.write(opening)
        while True:
            await places.acquire()
            request = step.batches.next(stream, token)
            if request is None:
                break
            await call.write(request)
        await call.done_writing()

    writer = asyncio.ensure_future(write())
    try:
        async for response in call:
            step.batches.take(stream, response)
            places.release()
    except grpc.RpcError as broken:
        return _ended(broken)
    finally:
        writer.cancel()
        await asyncio.gather(writer, return_exceptions=True)
        call.cancel()
    return None


def _ended(broken: grpc.RpcError) -> LandbridgeError:
    """What ended the stream; a way that is gone is no defect of anybody's."""
    failure = from_rpc_error(broken)
    code = broken.code() if isinstance(broken, grpc.Call | grpc.aio.AioRpcError) else None
    if code in _GONE and failure.status != "UNAVAILABLE":
        return error("GATEWAY_UNREACHABLE")
    return failure
