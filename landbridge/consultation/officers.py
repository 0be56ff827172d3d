"""An officer's hands: the queue of the own department, on the machine of its node."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import grpc
from google.protobuf.message import Message

from landbridge.consultation.view import ConsultationEvent, View, read_events, read_officers
from landbridge.errors import LandbridgeError, error
from landbridge.exchange import micro_epsilon
from landbridge.local import LocalChannel
from landbridge.status import from_rpc_error
from landbridge.transport import TokenSource, bearer, current_token
from landbridge.v1 import consult_pb2
from landbridge.v1.consult_pb2_grpc import ReviewingStub

SECONDS: Final = 30.0
WAIT: Final = 15.0
PAUSE: Final = 1.0
MENDING: Final = frozenset({"GATEWAY_UNREACHABLE", "SHUTTING_DOWN", "DEADLINE", "TOO_BUSY"})


def review(folder: str | Path, *, token: TokenSource) -> Reviewer:
    """An officer's view of a department's queue.

    `folder` holds the node's socket, usually `review` in its state folder; `token` is the
    officer's own, or where to get it. Close it, or use it in a `with`.
    """
    return Reviewer(Path(folder), token)


class Reviewer:
    """Made by `landbridge.review`. Every call is in the node's log before it returns."""

    def __init__(self, folder: Path, token: TokenSource) -> None:
        self._folder = folder
        self._token = token
        self._local = LocalChannel(folder)
        self._stub = ReviewingStub(self._local.channel)

    def list(self, *, closed: bool = False) -> tuple[View, ...]:
        """What waits for a decision of mine, the most urgent first; with `closed`, everything."""
        request = consult_pb2.ListConsultationsRequest(closed=closed)
        found = self._send("ListConsultations", request).consultations
        return tuple(read_officers(each) for each in found)

    def show(self, identifier: str) -> View:
        """One, with everything that happened."""
        request = consult_pb2.ShowConsultationRequest(id=_own(identifier))
        return read_officers(self._send("ShowConsultation", request).consultation)

    def approve(
        self, seen: View, *, reusable: bool = False, hours: int = 72, organisation: bool = False
    ) -> View:
        """Yes to what was seen: once, or `reusable` until it expires after so many hours.

        For the caller alone, or for the `organisation`. Where more officers are needed, it waits
        for them, who have to agree on the same.
        """
        scope = _approval(reusable=reusable, hours=hours, organisation=organisation)
        return self._decide(seen, consult_pb2.DecideConsultationRequest(approve=scope))

    def narrow(
        self,
        seen: View,
        *,
        without: Sequence[str] = (),
        coarser: Mapping[str, str] | None = None,
        epsilon: float | None = None,
        text: str = "",
        reusable: bool = False,
        hours: int = 72,
        organisation: bool = False,
    ) -> View:
        """Offers less: `without` these keys and measures, with keys `coarser`, a lower epsilon.

        Keys and measures are named as the view's offering words them. The caller accepts or not;
        the offer is approved with its making.
        """
        offer = consult_pb2.Narrowing(
            without=without,
            coarser=[
                consult_pb2.Coarsening(key=key, to=str(to)) for key, to in (coarser or {}).items()
            ],
            micro_epsilon=micro_epsilon(epsilon),
            approval=_approval(reusable=reusable, hours=hours, organisation=organisation),
            text=text,
        )
        return self._decide(seen, consult_pb2.DecideConsultationRequest(narrow=offer))

    def ask(self, seen: View, text: str) -> View:
        """Asks the caller back."""
        return self._decide(seen, consult_pb2.DecideConsultationRequest(ask=text))

    def decline(self, seen: View, reason: str) -> View:
        """No, with the reason."""
        return self._decide(seen, consult_pb2.DecideConsultationRequest(decline=reason))

    def follow(
        self,
        timeout: float | None = None,
        *,
        after: int = 0,
        clock: Callable[[], float] = time.monotonic,
    ) -> Iterator[ConsultationEvent]:
        """What happens in my queue, as it happens, from after that event on.

        A node that is restarted is found again, and nothing is left out or told twice.
        """
        end = None if timeout is None else clock() + timeout
        while True:
            began = clock()
            wait = WAIT if end is None else max(0.0, min(WAIT, end - began))
            request = consult_pb2.FollowConsultationsRequest(after=after, wait_seconds=int(wait))
            found = consult_pb2.FollowConsultationsResponse(latest=after)
            try:
                found = self._send("FollowConsultations", request)
            except LandbridgeError as failure:
                if failure.reason not in MENDING:
                    raise
                self._reconnect()
            moved, after = found.latest != after, found.latest
            yield from read_events(found.events)
            if end is not None and clock() >= end:
                return
            if not moved and clock() - began < PAUSE:
                time.sleep(PAUSE if end is None else min(PAUSE, max(0.0, end - clock())))

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

    def _decide(self, seen: View, request: consult_pb2.DecideConsultationRequest) -> View:
        request.id, request.turn = _own(seen.id), seen.turn
        return read_officers(self._send("DecideConsultation", request).consultation)

    def _send(self, method: str, request: Message) -> Any:
        token = current_token(self._token)
        if not isinstance(token, str) or inspect.isawaitable(token):
            raise error("TOKEN_MISSING", "An officer shows a token of their own.")
        try:
            return getattr(self._stub, method)(request, timeout=SECONDS, metadata=bearer(token))
        except grpc.RpcError as failure:
            found = from_rpc_error(failure)
            if found.reason == "GATEWAY_UNREACHABLE":
                found = error(
                    "GATEWAY_UNREACHABLE",
                    f"No node listens in {self._folder}.",
                    hint="Start it: landbridge node serve.",
                )
            raise found from None

    def _reconnect(self) -> None:
        try:
            again = LocalChannel(self._folder)
        except LandbridgeError:
            return  # the folder may come back
        self._local.close()
        self._local, self._stub = again, ReviewingStub(again.channel)


def _approval(*, reusable: bool, hours: int, organisation: bool) -> consult_pb2.Approval:
    if isinstance(hours, bool) or not isinstance(hours, int) or not 1 <= hours <= 720:
        raise error("INVALID_ARGUMENT", "An approval holds for 1 to 720 whole hours.")
    return consult_pb2.Approval(reusable=reusable, hours=hours, organisation=organisation)


def _own(identifier: str) -> str:
    """The node's own id, also of the caller's "department.id"."""
    return identifier.rpartition(".")[2]
