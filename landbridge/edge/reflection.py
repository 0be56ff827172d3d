"""gRPC server reflection, where an operator turned it on: the published protos, to known callers.

It streams, and a stream can last as long as its caller likes. So it is for who shows a token, for
two callers at a time, and for a hundred questions each.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, Final

import grpc
from grpc_reflection.v1alpha import reflection

from landbridge.edge.interceptor import Guarded, Report
from landbridge.errors import error

MOST_CALLERS: Final = 2
MOST_QUESTIONS: Final = 100
SECONDS: Final = 10.0
"""After which a stream is ended."""

Admit = Callable[[grpc.ServicerContext], None]
"""Raises for a caller who may not look."""


class Reflection:
    """Tells which methods `services` have, and with which messages; `admit` sees every caller."""

    def __init__(
        self,
        services: tuple[str, ...],
        admit: Admit,
        report: Report,
        seconds: float = SECONDS,
    ) -> None:
        self._seconds = seconds
        self._servicer = reflection.ReflectionServicer((*services, reflection.SERVICE_NAME))
        self._admit = admit
        self._report = report
        self._places = threading.BoundedSemaphore(MOST_CALLERS)

    def register(self, server: grpc.Server) -> None:
        """Adds the service."""
        pb2 = reflection._reflection_pb2
        handler = grpc.stream_stream_rpc_method_handler(
            Guarded(self._answer, self._report),
            request_deserializer=pb2.ServerReflectionRequest.FromString,
            response_serializer=pb2.ServerReflectionResponse.SerializeToString,
        )
        server.add_generic_rpc_handlers(
            (
                grpc.method_handlers_generic_handler(
                    reflection.SERVICE_NAME, {"ServerReflectionInfo": handler}
                ),
            )
        )

    def _answer(self, requests: Iterator[Any], context: grpc.ServicerContext) -> Iterator[Any]:
        self._admit(context)
        if not self._places.acquire(blocking=False):
            raise error("TOO_BUSY")
        ending = threading.Timer(self._seconds, context.cancel)
        ending.daemon = True
        ending.start()
        try:
            yield from self._servicer.ServerReflectionInfo(
                islice(requests, MOST_QUESTIONS), context
            )
        finally:
            ending.cancel()
            self._places.release()
