"""A caller of a call in the test's own process, who may go away."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import grpc


class Caller:
    """A call as gRPC shows it to a server."""

    def __init__(self, *, here: bool = True) -> None:
        self._here = here
        self._told: list[Callable[[], None]] = []

    def add_callback(self, callback: Callable[[], None]) -> bool:
        """As `grpc.RpcContext.add_callback`."""
        self._told.append(callback)
        return self._here

    def leave(self) -> None:
        """Cancels, vanishes, or runs out of time."""
        self._here = False
        for callback in self._told:
            callback()

    @property
    def context(self) -> grpc.ServicerContext:
        """What a servicer is given."""
        return cast(grpc.ServicerContext, self)
