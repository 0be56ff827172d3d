"""Publishing notices, as an officer of the department that owns the group.

On the machine of the department's node, with the officer's own token: what is published never comes
by the gateway (decision 0031).
"""

from __future__ import annotations

import inspect
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import grpc
from google.protobuf.message import Message

from landbridge.errors import error
from landbridge.local import LocalChannel
from landbridge.receipt import Receipt
from landbridge.status import from_rpc_error
from landbridge.transport import TokenSource, bearer, current_token
from landbridge.v1 import group_pb2
from landbridge.v1.group_pb2_grpc import GroupOfficeStub
from landbridge.wire import read_receipt

SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True)
class Publishing:
    """A group to which the officer publishes: as `role`, `notices` so far."""

    name: str
    title: str
    role: str
    notices: int


@dataclass(frozen=True, slots=True)
class Published:
    """A notice that members can read; `receipt` proves that it was in the log before."""

    number: int
    at: datetime
    receipt: Receipt


def publish(folder: str | Path, *, token: TokenSource) -> Publisher:
    """Notices to the groups of the own department.

    `folder` holds the node's socket, usually `review` in its state folder; `token` is the
    officer's own, or where to get it. Close it, or use it in a `with`.
    """
    return Publisher(Path(folder), token)


class Publisher:
    """Made by `landbridge.publish`. Every call is in the node's log before it returns."""

    def __init__(self, folder: Path, token: TokenSource) -> None:
        self._token = token
        self._local = LocalChannel(folder)
        self._stub = GroupOfficeStub(self._local.channel)

    def groups(self) -> tuple[Publishing, ...]:
        """Those to which I may publish."""
        found = self._send("ListPublishing", group_pb2.ListPublishingRequest()).groups
        return tuple(Publishing(each.name, each.title, each.role, each.notices) for each in found)

    def notice(self, group: str, title: str, text: str, *, notice_id: str = "") -> Published:
        """Publishes to a group, by its name within the department.

        `notice_id` (32 hex digits) makes it safe to publish again after a lost reply; without one
        it is drawn.
        """
        request = group_pb2.PublishNoticeRequest(
            group=group, title=title, text=text, id=notice_id or secrets.token_hex(16)
        )
        reply = self._send("PublishNotice", request)
        notice = reply.notice.notice
        at = datetime.fromtimestamp(notice.at_ms / 1000, UTC)
        return Published(notice.number, at, read_receipt(reply.receipt))

    def close(self) -> None:
        """Ends the connection."""
        self._local.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        raised: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _send(self, method: str, request: Message) -> Any:
        token = current_token(self._token)
        if not isinstance(token, str) or inspect.isawaitable(token):
            raise error("TOKEN_MISSING", "An officer shows a token of their own.")
        try:
            return getattr(self._stub, method)(request, timeout=SECONDS, metadata=bearer(token))
        except grpc.RpcError as failure:
            raise from_rpc_error(failure) from None
