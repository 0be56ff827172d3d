"""The gateway's services over one channel; a method is found by its name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import grpc

from landbridge.v1.batch_pb2_grpc import CallsStub
from landbridge.v1.case_pb2_grpc import CasesStub
from landbridge.v1.census_pb2_grpc import CensusStub
from landbridge.v1.consult_pb2_grpc import ConsultationsStub
from landbridge.v1.gateway_pb2_grpc import GatewayStub
from landbridge.v1.group_pb2_grpc import GroupsStub
from landbridge.v1.portal_pb2_grpc import PortalStub
from landbridge.v1.submission_pb2_grpc import SubmissionsStub
from landbridge.v1.watch_pb2_grpc import WatchesStub


class Stubs:
    """All of them."""

    def __init__(self, channel: grpc.Channel | grpc.aio.Channel) -> None:
        self._stubs: dict[str, object] = {
            "Gateway": GatewayStub(channel),
            "Calls": CallsStub(channel),
            "Cases": CasesStub(channel),
            "Census": CensusStub(channel),
            "Consultations": ConsultationsStub(channel),
            "Groups": GroupsStub(channel),
            "Portal": PortalStub(channel),
            "Submissions": SubmissionsStub(channel),
            "Watches": WatchesStub(channel),
        }

    def method(self, service: str, name: str) -> Callable[..., Any]:
        """What sends a request to that method of that service."""
        found: Callable[..., Any] = getattr(self._stubs[service], name)
        return found
