"""The gateway's gRPC face for groups: convert, one use case, convert."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Final

import grpc

from gateway.groups import Groups
from gateway.request import Request
from landbridge.v1 import group_pb2, group_pb2_grpc

Requests = Callable[[str, str, str, grpc.ServicerContext], AbstractContextManager[Request]]
"""What the gateway's servicer makes of a call: step, purpose, question id and context."""
_NO_QUESTION: Final = "0" * 32


class GroupsServicer(group_pb2_grpc.GroupsServicer):
    """What members speak to."""

    def __init__(self, groups: Groups, requests: Requests) -> None:
        self._groups = groups
        self._requests = requests

    def ListGroups(
        self, request: group_pb2.ListGroupsRequest, context: grpc.ServicerContext
    ) -> group_pb2.ListGroupsResponse:
        """The caller's groups."""
        del request  # it says nothing yet
        with self._requests("list_groups", "", _NO_QUESTION, context) as asked:
            return self._groups.listed(asked)

    def ShowGroup(
        self, request: group_pb2.ShowGroupRequest, context: grpc.ServicerContext
    ) -> group_pb2.ShowGroupResponse:
        """One of them."""
        with self._requests("show_group", "", _NO_QUESTION, context) as asked:
            return self._groups.show(asked, request.group)

    def ListNotices(
        self, request: group_pb2.ListNoticesRequest, context: grpc.ServicerContext
    ) -> group_pb2.ListNoticesResponse:
        """What was published."""
        with self._requests("list_notices", "", _NO_QUESTION, context) as asked:
            return self._groups.notices(asked, request.group, request.token)

    def FollowNotices(
        self, request: group_pb2.FollowNoticesRequest, context: grpc.ServicerContext
    ) -> Iterator[group_pb2.FollowNoticesResponse]:
        """What is published, as it is."""
        with self._requests("follow_notices", "", _NO_QUESTION, context) as asked:
            for notice in self._groups.follow(
                asked, request.group, request.token, context.is_active
            ):
                yield group_pb2.FollowNoticesResponse(notice=notice)
