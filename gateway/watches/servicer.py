"""The gateway's gRPC face for watches: convert, one use case, convert."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import grpc

from gateway.request import Request
from gateway.watches.watches import Watches
from landbridge.v1 import watch_pb2, watch_pb2_grpc

Requests = Callable[[str, str, str, grpc.ServicerContext], AbstractContextManager[Request]]
"""What the gateway's servicer makes of a call: step, purpose, question id and context."""

_NO_QUESTION = "0" * 32


class WatchesServicer(watch_pb2_grpc.WatchesServicer):
    """What callers speak to."""

    def __init__(self, watches: Watches, requests: Requests) -> None:
        self._watches = watches
        self._requests = requests

    def CreateWatch(
        self, request: watch_pb2.CreateWatchRequest, context: grpc.ServicerContext
    ) -> watch_pb2.CreateWatchResponse:
        """A new one."""
        with self._requests("create_watch", request.purpose, request.question_id, context) as asked:
            return self._watches.create(asked, request)

    def ListWatches(
        self, request: watch_pb2.ListWatchesRequest, context: grpc.ServicerContext
    ) -> watch_pb2.ListWatchesResponse:
        """Those that the caller may see."""
        with self._requests("list_watches", "", _NO_QUESTION, context) as asked:
            return self._watches.list(asked, request)

    def ShowWatch(
        self, request: watch_pb2.ShowWatchRequest, context: grpc.ServicerContext
    ) -> watch_pb2.ShowWatchResponse:
        """One as it stands."""
        with self._requests("show_watch", "", _NO_QUESTION, context) as asked:
            return watch_pb2.ShowWatchResponse(watch=self._watches.show(asked, request.id))

    def StopWatch(
        self, request: watch_pb2.StopWatchRequest, context: grpc.ServicerContext
    ) -> watch_pb2.StopWatchResponse:
        """Ends one."""
        with self._requests("stop_watch", "", _NO_QUESTION, context) as asked:
            return watch_pb2.StopWatchResponse(watch=self._watches.stop(asked, request.id))

    def FollowWatch(
        self, request: watch_pb2.FollowWatchRequest, context: grpc.ServicerContext
    ) -> Iterator[watch_pb2.FollowWatchResponse]:
        """What it tells, as it tells it."""
        with self._requests("follow_watch", "", _NO_QUESTION, context) as asked:
            for event in self._watches.follow(asked, request.id, request.token, context.is_active):
                yield watch_pb2.FollowWatchResponse(event=event)
