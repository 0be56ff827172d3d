"""The hands of whoever is responsible: cases that the own department's handler watches named."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import grpc
from google.protobuf.message import Message

from landbridge.errors import LandbridgeError, error
from landbridge.local import LocalChannel
from landbridge.status import from_rpc_error
from landbridge.transport import TokenSource, bearer, current_token
from landbridge.v1 import attend_pb2
from landbridge.v1.attend_pb2_grpc import AttendingStub

SECONDS: Final = 30.0
WAIT: Final = 15.0
REST: Final = 1.0
MENDING: Final = frozenset({"GATEWAY_UNREACHABLE", "SHUTTING_DOWN", "DEADLINE", "TOO_BUSY"})


@dataclass(frozen=True, slots=True)
class Concern:
    """A case: `subject` is whom it is about, as the department identifies them."""

    number: int
    handler: str
    role: str
    subject: str
    code: str
    reasons: tuple[str, ...]
    opened: datetime


def attend(folder: str | Path, *, token: TokenSource) -> Attendant:
    """The cases of the own department that this officer is responsible for.

    `folder` holds the node's socket, usually `review` in its state folder; `token` is the
    officer's own, or where to get it. Close it, or use it in a `with`.
    """
    return Attendant(Path(folder), token)


class Attendant:
    """Made by `landbridge.attend`. Every call is in the node's log before it returns."""

    def __init__(self, folder: Path, token: TokenSource) -> None:
        self._folder = folder
        self._token = token
        self._local = LocalChannel(folder)
        self._stub = AttendingStub(self._local.channel)

    def list(self) -> tuple[Concern, ...]:
        """The open cases of my roles, the oldest first."""
        found = self._send("ListConcerns", attend_pb2.ListConcernsRequest()).concerns
        return tuple(map(_read, found))

    def follow(
        self,
        timeout: float | None = None,
        *,
        after: int = 0,
        clock: Callable[[], float] = time.monotonic,
    ) -> Iterator[Concern]:
        """Cases as they are named, from after that number on; over restarts of the node."""
        end = None if timeout is None else clock() + timeout
        while True:
            began = clock()
            wait = WAIT if end is None else max(0.0, min(WAIT, end - began))
            request = attend_pb2.FollowConcernsRequest(after=after, wait_seconds=int(wait))
            found = attend_pb2.FollowConcernsResponse(latest=after)
            try:
                found = self._send("FollowConcerns", request)
            except LandbridgeError as failure:
                if failure.reason not in MENDING:
                    raise
                self._reconnect()
            after = found.latest
            yield from map(_read, found.concerns)
            if end is not None and clock() >= end:
                return
            if not found.concerns and clock() - began < REST:
                time.sleep(REST if end is None else min(REST, max(0.0, end - clock())))

    def done(self, concern: Concern | int) -> None:
        """I have looked after it; it comes again only after the subject was well in between."""
        number = concern if isinstance(concern, int) else concern.number
        self._send("AttendConcern", attend_pb2.AttendConcernRequest(number=number))

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

    def _reconnect(self) -> None:
        try:
            again = LocalChannel(self._folder)
        except LandbridgeError:
            return  # the folder may come back
        self._local.close()
        self._local, self._stub = again, AttendingStub(again.channel)


def _read(message: attend_pb2.Concern) -> Concern:
    return Concern(
        message.number,
        message.handler,
        message.role,
        message.subject,
        message.code,
        tuple(message.reasons),
        datetime.fromtimestamp(message.opened_at_ms / 1000, UTC),
    )
