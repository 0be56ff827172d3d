"""The node's two faces of groups: one for the gateway, one for officers on this machine."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

import grpc

from landbridge.edge.record import Recorder
from landbridge.edge.telemetry import Telemetry
from landbridge.identity.bearer import bearer_token
from landbridge.membership.statement import Grouping as Asked
from landbridge.v1 import group_pb2, group_pb2_grpc
from nodes.convert import refuse_unknown_fields
from nodes.grouping import Grouping
from nodes.servicer import asking_from

LONGEST_WAIT: Final = 20.0
MARGIN: Final = 0.25
Require = Callable[[grpc.ServicerContext, Asked], None]
"""Raises unless the gateway asks and has signed the request."""


class GroupingServicer(group_pb2_grpc.GroupingServicer):
    """For the gateway."""

    def __init__(
        self, require: Require, grouping: Grouping, recorder: Recorder, telemetry: Telemetry
    ) -> None:
        self._require = require
        self._grouping = grouping
        self._recorder = recorder
        self._telemetry = telemetry

    def Membership(
        self, request: group_pb2.MembershipRequest, context: grpc.ServicerContext
    ) -> group_pb2.MembershipResponse:
        """The caller's groups."""
        self._enter(request, context)
        with self._telemetry.request("node.membership", context.invocation_metadata()) as trace:
            found = self._grouping.membership(asking_from(request.asking), trace_id=trace.id)
        return group_pb2.MembershipResponse(groups=found)

    def DescribeGroup(
        self, request: group_pb2.DescribeGroupRequest, context: grpc.ServicerContext
    ) -> group_pb2.DescribeGroupResponse:
        """One of them."""
        self._enter(request, context)
        with self._telemetry.request("node.describe_group", context.invocation_metadata()) as at:
            found = self._grouping.describe(
                asking_from(request.asking), request.group, trace_id=at.id
            )
        return group_pb2.DescribeGroupResponse(group=found)

    def ReadNotices(
        self, request: group_pb2.ReadNoticesRequest, context: grpc.ServicerContext
    ) -> group_pb2.ReadNoticesResponse:
        """What is new."""
        self._enter(request, context)
        end = time.monotonic() + min(float(request.wait_seconds), LONGEST_WAIT)
        with self._telemetry.request("node.read_notices", context.invocation_metadata()) as trace:
            found = self._grouping.read(
                asking_from(request.asking),
                request.group,
                request.after,
                lambda: min(end - time.monotonic(), context.time_remaining() - MARGIN),
                trace_id=trace.id,
            )
        return group_pb2.ReadNoticesResponse(notices=found)

    def _enter(self, request: Asked, context: grpc.ServicerContext) -> None:
        self._require(context, request)
        with self._recorder.check("group"):
            refuse_unknown_fields(request)


class GroupOfficeServicer(group_pb2_grpc.GroupOfficeServicer):
    """For officers, on the socket of the node's own machine."""

    def __init__(self, grouping: Grouping, recorder: Recorder) -> None:
        self._grouping = grouping
        self._recorder = recorder

    def ListPublishing(
        self, request: group_pb2.ListPublishingRequest, context: grpc.ServicerContext
    ) -> group_pb2.ListPublishingResponse:
        """The officer's groups."""
        del request  # it says nothing yet
        found = self._grouping.publishing(self._token(context))
        return group_pb2.ListPublishingResponse(groups=found)

    def PublishNotice(
        self, request: group_pb2.PublishNoticeRequest, context: grpc.ServicerContext
    ) -> group_pb2.PublishNoticeResponse:
        """A notice."""
        token = self._token(context)
        with self._recorder.check("group"):
            refuse_unknown_fields(request)
        signed, receipt = self._grouping.publish(
            token, request.group, request.title, request.text, request.id
        )
        return group_pb2.PublishNoticeResponse(notice=signed, receipt=receipt)

    def _token(self, context: grpc.ServicerContext) -> str:
        with self._recorder.check("refused_login"):
            return bearer_token(context.invocation_metadata())
