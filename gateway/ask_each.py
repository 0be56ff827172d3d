"""Asks several departments at once, and says who answered, who refused and who is missing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

import grpc

from landbridge.edge.wanted import while_wanted
from landbridge.errors import LandbridgeError, error
from landbridge.status import from_rpc_error

Request = TypeVar("Request")
Response = TypeVar("Response")
Stub = TypeVar("Stub")

LONGEST_RULE = 200
LONGEST_TEXT = 500
_PASSING: Final = frozenset(("UNAVAILABLE", "DEADLINE_EXCEEDED", "INTERNAL"))
"""Statuses that are no answer; the others are a refusal."""


@dataclass(frozen=True, slots=True)
class Asked(Generic[Response]):
    """What came of asking several departments at once.

    `missing` are those that were unreachable, too late or failed, each with the reason; `refused`
    those whose policy said no.
    """

    replies: Mapping[str, Response]
    missing: Mapping[str, LandbridgeError]
    refused: Mapping[str, LandbridgeError]

    def require_none_refused(self) -> None:
        """Raises the first refusal, with the department's name: one refusal refuses the whole."""
        for department, said in self.refused.items():
            raise named(department, said)


def ask_each(
    stubs: Mapping[str, Stub],
    names: Sequence[str],
    method: Callable[[Stub], grpc.UnaryUnaryMultiCallable[Request, Response]],
    request: Callable[[str], Request],
    seconds: float,
    headers: Sequence[tuple[str, str]],
    *,
    long: bool = False,
) -> Asked[Response]:
    """Asks those at once, over these stubs of whichever service, and waits for all.

    Raises DEADLINE where no time is left. `long` is as in `Departments.ask`.
    """
    if seconds <= 0:
        raise error("DEADLINE")
    if len(names) == 1 and not long:
        return _ask_alone(stubs, names[0], method, request, seconds, headers)
    calls = {}
    missing: dict[str, LandbridgeError] = {}
    for name in names:
        try:
            calls[name] = method(stubs[name]).future(
                request(name), timeout=seconds, metadata=tuple(headers)
            )
        except (KeyError, ValueError):  # it left; gRPC says ValueError of a closed channel
            missing[name] = error("DEPARTMENT_MISSING")
    replies: dict[str, Response] = {}
    refused: dict[str, LandbridgeError] = {}
    for name, call in calls.items():
        try:
            with while_wanted(call.cancel, whatever=True):
                replies[name] = call.result()
        except grpc.RpcError as failure:
            said = _said(failure)
            (missing if said.status in _PASSING else refused)[name] = said
        except grpc.FutureCancelledError:
            missing[name] = error("DEPARTMENT_MISSING")
    return Asked(replies, missing, refused)


def _ask_alone(
    stubs: Mapping[str, Stub],
    name: str,
    method: Callable[[Stub], grpc.UnaryUnaryMultiCallable[Request, Response]],
    request: Callable[[str], Request],
    seconds: float,
    headers: Sequence[tuple[str, str]],
) -> Asked[Response]:
    """The same of one, on this thread: a future's reply comes by way of the channel's own."""
    try:
        reply = method(stubs[name])(request(name), timeout=seconds, metadata=tuple(headers))
    except (KeyError, ValueError):
        return Asked({}, {name: error("DEPARTMENT_MISSING")}, {})
    except grpc.RpcError as failure:
        said = _said(failure)
        passing = said.status in _PASSING
        return Asked({}, {name: said} if passing else {}, {} if passing else {name: said})
    return Asked({name: reply}, {}, {})


def _said(failure: grpc.RpcError) -> LandbridgeError:
    """What came of a call; one whose channel was closed under it is of a department that left."""
    failure.__traceback__ = None  # as in `from_rpc_error`
    call: Any = failure  # gRPC's published types do not know that it is one
    if call.code() is grpc.StatusCode.CANCELLED:
        return error("DEPARTMENT_MISSING")
    return from_rpc_error(failure)


def named(department: str, said: LandbridgeError) -> LandbridgeError:
    """A node's refusal, with the department's name; the receipt stays the node's own.

    What a node says goes into our log and to our caller, so it is kept short and printable.
    """
    rule = _printable(said.rule, LONGEST_RULE)
    return error(
        said.reason,
        f"Department {department}: {_printable(said.message, LONGEST_TEXT)}",
        rule=f"{department}/{rule}" if rule else "",
        hint=_printable(said.hint, LONGEST_TEXT),
    )


def _printable(text: str, longest: int) -> str:
    return "".join(character for character in text[:longest] if character.isprintable())
