"""A way to a gateway in this process: gRPC's channels, without a socket.

Requests and replies are serialized and read again, and errors travel as their status with details,
so that a client notices no difference.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

import grpc

from landbridge.errors import LandbridgeError, error
from landbridge.status import to_status

Metadata = Sequence[tuple[str, str]]

Serve = Callable[[str, bytes, Metadata], bytes]
"""Takes a method's name, a request and its metadata; raises a LandbridgeError, or a `Lost`."""


class Lost(Exception):
    """No reply comes: a gRPC status of the way itself, without any word of the gateway."""

    def __init__(self, code: grpc.StatusCode) -> None:
        super().__init__(code.name)
        self.code = code


class MemoryWay:
    """Leads to `serve`."""

    def __init__(self, serve: Serve) -> None:
        self._serve = serve

    @property
    def target(self) -> str:
        """What messages call it."""
        return "memory"

    def channel(self) -> grpc.Channel:
        """For threads."""
        return cast(grpc.Channel, _Channel(self._serve))

    def aio_channel(self) -> grpc.aio.Channel:
        """For asyncio."""
        return cast(grpc.aio.Channel, _AioChannel(self._serve))


class _Failed(grpc.RpcError, grpc.Call):
    """A call that failed, as gRPC's synchronous client raises it."""

    def __init__(self, code: grpc.StatusCode, details: str, trailing: Any) -> None:
        super().__init__(details)
        self._code, self._details, self._trailing = code, details, trailing

    def code(self) -> grpc.StatusCode:
        return self._code

    def details(self) -> str:
        return self._details

    def trailing_metadata(self) -> Any:
        return self._trailing

    def initial_metadata(self) -> Any:
        return ()

    def is_active(self) -> bool:
        return False

    def time_remaining(self) -> float:
        return 0.0

    def cancel(self) -> bool:
        return False

    def add_callback(self, callback: Callable[[], None]) -> bool:
        del callback
        return False


class _Channel:
    """What a generated stub asks of a channel."""

    def __init__(self, serve: Serve) -> None:
        self._serve = serve
        self._closed = False

    def unary_unary(
        self, path: str, request_serializer: Any, response_deserializer: Any, **_: Any
    ) -> Any:
        def call(request: Any, timeout: float | None = None, metadata: Metadata = ()) -> Any:
            del timeout  # a reply comes at once, or never
            if self._closed:
                raise ValueError("Cannot invoke RPC on closed channel!")
            try:
                reply = self._serve(_method(path), request_serializer(request), metadata)
            except (LandbridgeError, Lost) as failure:
                raise _Failed(*_status(failure)) from None
            return response_deserializer(reply)

        return call

    def _streaming(self, path: str, *_: Any, **__: Any) -> Any:
        def call(*_: Any, **__: Any) -> Any:
            raise _Failed(*_status(_unscripted(path)))

        return call

    unary_stream = stream_unary = stream_stream = _streaming

    def close(self) -> None:
        self._closed = True


class _AioChannel:
    """The same for asyncio."""

    def __init__(self, serve: Serve) -> None:
        self._serve = serve

    def unary_unary(
        self, path: str, request_serializer: Any, response_deserializer: Any, **_: Any
    ) -> Any:
        async def call(request: Any, timeout: float | None = None, metadata: Metadata = ()) -> Any:
            del timeout
            try:
                reply = self._serve(_method(path), request_serializer(request), metadata)
            except (LandbridgeError, Lost) as failure:
                raise _aio_failure(failure) from None
            return response_deserializer(reply)

        return call

    def _streaming(self, path: str, *_: Any, **__: Any) -> Any:
        def call(*_: Any, **__: Any) -> Any:
            raise _aio_failure(_unscripted(path))

        return call

    unary_stream = stream_unary = stream_stream = _streaming

    async def close(self) -> None:
        """Nothing is open."""


def _method(path: str) -> str:
    return path.rsplit("/", 1)[1]


def _unscripted(path: str) -> LandbridgeError:
    return error("NOT_AVAILABLE", f"A gateway in memory does not serve {_method(path)}.")


def _status(failure: LandbridgeError | Lost) -> tuple[grpc.StatusCode, str, Any]:
    if isinstance(failure, Lost):
        return failure.code, "", ()
    status = to_status(failure)
    return status.code, status.details, status.trailing_metadata


def _aio_failure(failure: LandbridgeError | Lost) -> grpc.aio.AioRpcError:
    code, details, trailing = _status(failure)
    return grpc.aio.AioRpcError(
        code,
        initial_metadata=grpc.aio.Metadata(),
        trailing_metadata=grpc.aio.Metadata(*trailing),
        details=details,
    )
