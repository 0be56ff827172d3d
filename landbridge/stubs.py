"""The gateway's services over one channel; a method is found by its name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import grpc

from landbridge.v1.batch_pb2_grpc import CallsStub
from landbridge.v1.case_pb2_grpc import CasesStub
from landbridge.v1.gateway_pb2_grpc import GatewayStub


class Stubs:
    """`method("Query")` is the Gateway's, `method("Cases.Open")` that of another service."""

    def __init__(self, channel: grpc.Channel | grpc.aio.Channel) -> None:
        self._stubs: dict[str, object] = {
            "Gateway": GatewayStub(channel),
            "Calls": CallsStub(channel),
            "Cases": CasesStub(channel),
        }

    def method(self, name: str) -> Callable[..., Any]:
        """What sends a request to that method."""
        service, _, method = name.rpartition(".")
        found: Callable[..., Any] = getattr(self._stubs[service or "Gateway"], method)
        return found
