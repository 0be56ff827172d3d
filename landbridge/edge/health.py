"""gRPC's own health service (grpc.health.v1): whether this server should be asked now.

`Check` alone: a `Watch` would hold a call for as long as a stranger likes. Clients take its absence
(UNIMPLEMENTED) for "do not watch". It knows the server as a whole, "" by name, and tells nothing
else: no version, no service, no reason. Its trailing metadata carry the server's clock, so that an
operator's `doctor` can compare.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

import grpc
from grpc_health.v1 import health_pb2

from landbridge.errors import LandbridgeError

SERVICE: Final = "grpc.health.v1.Health"
CLOCK: Final = "landbridge-clock"
"""Trailing metadata of a `Check`: seconds since 1970, UTC, with milliseconds."""


class Health:
    """SERVING from `enter` on, until `leave`; in between only while `require` does not raise."""

    def __init__(self, require: Callable[[], None], clock: Callable[[], float] = time.time) -> None:
        self._require = require
        self._clock = clock
        self._inside = threading.Event()

    def enter(self) -> None:
        """The server answers from now on."""
        self._inside.set()

    def leave(self) -> None:
        """The server is about to stop: whoever looks goes elsewhere."""
        self._inside.clear()

    def leaving(self, seconds: float) -> Callable[[], None]:
        """A `leave` that gives whoever looks so many seconds to see it."""

        def leave() -> None:
            if self._inside.is_set():
                self.leave()
                time.sleep(seconds)

        return leave

    @property
    def serving(self) -> bool:
        """Whether it should be asked."""
        try:
            self._require()
        except LandbridgeError:
            return False
        return self._inside.is_set()

    def register(self, server: grpc.Server) -> None:
        """Adds the service."""
        check = grpc.unary_unary_rpc_method_handler(
            self._check,
            request_deserializer=health_pb2.HealthCheckRequest.FromString,
            response_serializer=health_pb2.HealthCheckResponse.SerializeToString,
        )
        server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler(SERVICE, {"Check": check}),)
        )

    def _check(
        self, request: health_pb2.HealthCheckRequest, context: grpc.ServicerContext
    ) -> health_pb2.HealthCheckResponse:
        states = health_pb2.HealthCheckResponse
        context.set_trailing_metadata(((CLOCK, f"{self._clock():.3f}"),))
        if request.service:  # no name is known, so none can be guessed
            return states(status=states.SERVICE_UNKNOWN)
        return states(status=states.SERVING if self.serving else states.NOT_SERVING)


def check(channel: grpc.Channel, timeout: float) -> tuple[bool, float | None]:
    """Whether the server there says SERVING, and its clock; raises grpc.RpcError."""
    ask = channel.unary_unary(
        f"/{SERVICE}/Check",
        request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
        response_deserializer=health_pb2.HealthCheckResponse.FromString,
    )
    found, call = ask.with_call(health_pb2.HealthCheckRequest(), timeout=timeout)
    clocks = [value for key, value in call.trailing_metadata() or () if key == CLOCK]
    try:
        seconds = float(clocks[0])
    except (IndexError, ValueError):
        seconds = None
    return found.status == health_pb2.HealthCheckResponse.SERVING, seconds
