"""One linked question's talk with its departments: signed rounds, one error for each failure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import grpc

from gateway.ask_each import named
from gateway.days import date_changed
from landbridge.errors import LandbridgeError, error
from landbridge.membership.link_statement import AnyRequest, LinkSigner
from landbridge.status import from_rpc_error
from landbridge.v1 import link_pb2, link_pb2_grpc

Response = TypeVar("Response")


@dataclass(frozen=True, slots=True)
class Talk:
    """The departments of one question. `time_left` is in seconds, `headers` carry the trace."""

    stubs: Mapping[str, link_pb2_grpc.LinkStub]
    signer: LinkSigner
    round: link_pb2.Round
    time_left: Callable[[], float]
    headers: Sequence[tuple[str, str]]
    mending: Callable[[Collection[str]], AbstractContextManager[None]]
    """As `Departments.mending`."""

    def bound(self) -> link_pb2.Round:
        """Which question a round belongs to, not signed yet."""
        found = link_pb2.Round()
        found.CopyFrom(self.round)
        return found

    def say(
        self,
        department: str,
        method: Callable[[link_pb2_grpc.LinkStub], grpc.UnaryUnaryMultiCallable[Any, Response]],
        request: AnyRequest,
    ) -> Pending[Response]:
        """Sends the request, signed for the department; the reply is waited for later."""
        left = self.time_left()
        if left <= 0:
            raise error("DEADLINE")
        signed = self.signer.sign(department, request)
        try:
            with self.mending((department,)):
                call = method(self.stubs[department]).future(
                    signed, timeout=left, metadata=tuple(self.headers)
                )
        except (KeyError, ValueError):  # it left; gRPC says ValueError of a closed channel
            raise _missing(department) from None
        return Pending(department, call)

    def ask(
        self,
        department: str,
        method: Callable[[link_pb2_grpc.LinkStub], grpc.UnaryUnaryMultiCallable[Any, Response]],
        request: AnyRequest,
    ) -> Response:
        """The reply; raises the department's refusal, or who is missing."""
        return self.say(department, method, request).reply()


class Pending(Generic[Response]):
    """A reply that is under way."""

    def __init__(self, department: str, call: Any) -> None:
        self.department = department
        self._call = call

    def reply(self) -> Response:
        """It, or the error that it is."""
        try:
            found: Response = self._call.result()
        except grpc.RpcError as failure:
            said = from_rpc_error(failure)
        except grpc.FutureCancelledError:
            raise _missing(self.department) from None
        else:
            return found
        raise failed(self.department, said)


def failed(department: str, said: LandbridgeError) -> LandbridgeError:
    """What the caller is told of a department's failure; a refusal stays one, with its name."""
    match said.reason:
        case "DEADLINE":
            return error(
                "DEADLINE", f"Time ran out before {department} answered.", missing=(department,)
            )
        case "RUN_FAILED":
            return error(
                "RUN_FAILED",
                f"Department {department} could not compute it.",
                missing=(department,),
            )
        case "LINK_LOST":
            return error(
                "LINK_LOST",
                f"Department {department} does not hold this linked question any more; what was "
                "charged stays charged.",
                missing=(department,),
                hint="Ask again under a new question id.",
            )
        case "DATE_CHANGED":
            return date_changed((department,))
        case "ROUND_FORGOTTEN" | "TOO_BUSY":
            return named(department, said)
        case _ if said.status in ("UNAVAILABLE", "INTERNAL") and said.reason != "ANSWER_REJECTED":
            return _missing(department)
        case _:
            return named(department, said)


def _missing(department: str) -> LandbridgeError:
    return error(
        "DEPARTMENT_MISSING",
        f"No answer came from {department}.",
        missing=(department,),
        hint="Ask again later under a new question id; what was charged stays charged.",
    )
