"""Errors on the wire: a `LandbridgeError` as a gRPC status, and back.

A failed call carries google.rpc.Status in its trailing metadata (the richer error model of gRPC)
with two details: google.rpc.ErrorInfo for clients that know nothing of Landbridge, and
landbridge.v1.Problem, from which the exception is made again field by field.

What a client reads when it knows less than the server, or when no Landbridge server answered:

- A reason that this version does not know, or that came under another status than the catalogue's:
  the exception class of the gRPC status, with the reason of `NEAREST`; the server's own sentence is
  kept and the unknown word stands behind it.
- A bare status: UNAVAILABLE and CANCELLED are GATEWAY_UNREACHABLE, DEADLINE_EXCEEDED is DEADLINE,
  all else is FAULT. A stream that a server refused to take in (REFUSED_STREAM, RFC 9113, 8.7), as
  gRPC does under too many calls before any program of ours sees them, is TOO_BUSY. gRPC's own text
  never reaches the exception: it holds addresses, paths and system errors.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any, Final, cast

import grpc
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2  # type: ignore[import-untyped]
from grpc_status import rpc_status

from landbridge.errors import CATALOGUE, LandbridgeError, Passing, Position, error
from landbridge.v1.evidence_pb2 import Receipt
from landbridge.v1.problem_pb2 import Passing as WirePassing
from landbridge.v1.problem_pb2 import Position as WirePosition
from landbridge.v1.problem_pb2 import Problem

DOMAIN: Final = "landbridge"

MAXIMUM_BYTES: Final = 96 * 1024
"""A status is no larger than this; a receipt with the longest entry fits. Clients of ours accept
`CLIENT_METADATA_BYTES`; foreign clients often stop at 8 KiB, which a usual refusal keeps under."""

CLIENT_METADATA_BYTES: Final = 256 * 1024
"""What a client must accept: `MAXIMUM_BYTES` in base64, beside the message in percent-encoding."""

FAULTS: Final = frozenset(
    ("UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS")
)
"""Statuses that are a server's error by OpenTelemetry's conventions; a refusal is an answer."""

NEAREST: Final[dict[str, str]] = {
    "UNAUTHENTICATED": "TOKEN_INVALID",
    "INVALID_ARGUMENT": "INVALID_ARGUMENT",
    "PERMISSION_DENIED": "ACCESS_DENIED",
    "RESOURCE_EXHAUSTED": "BUDGET_EXHAUSTED",
    "UNAVAILABLE": "TOO_BUSY",
    "DEADLINE_EXCEEDED": "DEADLINE",
    "UNIMPLEMENTED": "NOT_SUPPORTED",
}
"""gRPC status name -> the reason that stands in for one we do not know; any other status: FAULT."""

LOST: Final = frozenset({"UNAVAILABLE", "CANCELLED"})
"""gRPC status names of a call that nobody answered. A gRPC server that stops ends the calls it has
received and not yet begun as CANCELLED, which no Landbridge server says of itself."""

_BARE: Final = {
    **dict.fromkeys(LOST, "GATEWAY_UNREACHABLE"),
    "DEADLINE_EXCEEDED": "DEADLINE",
}
_REFUSED_STREAM: Final = re.compile(r"RST_STREAM with error code 7\b")
"""All that gRPC for Python tells of it."""
_WORD: Final = re.compile(r"[A-Z][A-Z0-9_]{0,62}")
_LONGEST_TEXT: Final = 2_000
_LONGEST_VIOLATION: Final = 300


def to_status(error: LandbridgeError, *, aloud: bool = False) -> grpc.Status:
    """The status for `context.abort_with_status`, every field of the error in its details.

    With `aloud` its text says all that a person needs, for tools that show a text and no details.
    Texts over 2,000 characters are cut. When the whole is over `MAXIMUM_BYTES` the receipt stays
    behind (the log has the entry anyway), then the list of the missing: the reason must arrive.
    Raises ValueError or DecodeError for an error that cannot be written, which is a defect.
    """
    problem = Problem(
        reason=error.reason,
        message=_text(error.message),
        rule=_text(error.rule),
        hint=_text(error.hint),
        missing=[_text(department) for department in error.missing],
    )
    if error.position is not None:
        problem.position.CopyFrom(
            WirePosition(line=error.position.line, column=error.position.column)
        )
    if error.passing is not None:
        problem.passing.CopyFrom(
            WirePassing(
                sql=_whole(error.passing.sql),
                micro_epsilon=round((error.passing.epsilon or 0.0) * 1_000_000),
            )
        )
    if error.receipt:
        problem.receipt.CopyFrom(Receipt.FromString(error.receipt))
    if problem.ByteSize() > MAXIMUM_BYTES:
        problem.ClearField("receipt")
    if problem.ByteSize() > MAXIMUM_BYTES:
        problem.ClearField("missing")
    code: int = grpc.StatusCode[CATALOGUE[error.reason].status].value[0]
    text = _text(str(error)) if aloud else problem.message
    status = status_pb2.Status(code=code, message=text)
    status.details.add().Pack(error_details_pb2.ErrorInfo(reason=error.reason, domain=DOMAIN))
    if error.position is not None:
        status.details.add().Pack(_bad_request(problem))
    if error.retry_after is not None:
        retry = error_details_pb2.RetryInfo()
        retry.retry_delay.FromTimedelta(timedelta(seconds=error.retry_after))
        status.details.add().Pack(retry)
    status.details.add().Pack(problem)
    return rpc_status.to_status(status)


def _bad_request(problem: Problem) -> Any:
    """Where in the question's text, for clients that know Google's details and not ours."""
    place = f"line {problem.position.line}, column {problem.position.column}"
    told = f"{place}: {problem.message}"[:_LONGEST_VIOLATION]
    violation = error_details_pb2.BadRequest.FieldViolation(field="sql", description=told)
    return error_details_pb2.BadRequest(field_violations=[violation])


def from_rpc_error(failure: grpc.RpcError) -> LandbridgeError:
    """The exception that the server raised, or the nearest one; holds none of gRPC's own text."""
    # A future of gRPC's raises itself. Its traceback holds the frames that hold the future and, in
    # a server, the caller's own call, whose stream would stay open until the collector looks.
    failure.__traceback__ = None
    name = _status_name(failure)
    problem, retry_after = _details(failure)
    if problem is None:
        if name in _BARE:
            return error("TOO_BUSY" if _refused(failure) else _BARE[name])
        return error("FAULT", f"The service answered with gRPC status {name} and gave no reason.")
    reason, message = problem.reason, problem.message
    row = CATALOGUE.get(reason)
    passing = None
    if problem.HasField("passing"):
        passing = Passing(problem.passing.sql, problem.passing.micro_epsilon / 1_000_000 or None)
    if row is None or row.status != name:
        word = f" (reason {reason})" if _WORD.fullmatch(reason) else ""
        reason = NEAREST.get(name, "FAULT")
        message = (message or CATALOGUE[reason].sentence) + word
    found = error(
        reason,
        message,
        rule=problem.rule,
        hint=problem.hint,
        position=(
            Position(problem.position.line, problem.position.column)
            if problem.HasField("position")
            else None
        ),
        missing=problem.missing,
        receipt=problem.receipt.SerializeToString() if problem.HasField("receipt") else b"",
    )
    found.passing = passing
    found.retry_after = retry_after
    return found


def _status_name(failure: grpc.RpcError) -> str:
    code = failure.code() if isinstance(failure, grpc.Call | grpc.aio.AioRpcError) else None
    return "UNKNOWN" if code is None else str(code.name)


def _refused(failure: grpc.RpcError) -> bool:
    """Whether the server took no notice of the call, and said so."""
    if not isinstance(failure, grpc.Call | grpc.aio.AioRpcError):
        return False
    return _REFUSED_STREAM.search(failure.details() or "") is not None


def _details(failure: grpc.RpcError) -> tuple[Problem | None, float | None]:
    """The Problem among the details, and the seconds of a RetryInfo; None what cannot be read."""
    if not isinstance(failure, grpc.Call | grpc.aio.AioRpcError):
        return None, None
    problem, retry_after = None, None
    try:
        # An AioRpcError has all of a Call that is read here, though not the type.
        status = rpc_status.from_call(cast(grpc.Call, failure))
        for detail in status.details if status is not None else ():
            if detail.Is(Problem.DESCRIPTOR):
                problem = Problem()
                detail.Unpack(problem)
            elif detail.Is(error_details_pb2.RetryInfo.DESCRIPTOR):
                retry = error_details_pb2.RetryInfo()
                detail.Unpack(retry)
                retry_after = max(0.0, retry.retry_delay.ToTimedelta().total_seconds())
    except (DecodeError, ValueError, OverflowError):
        # Details that contradict the status, or are no protobuf: somebody between us and the server
        # made them, so only the bare status counts.
        return None, None
    return problem, retry_after


def _whole(text: str) -> str:
    """What protobuf can carry: no lone surrogates."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _text(text: str) -> str:
    """What protobuf can carry: no lone surrogates, and not without end."""
    whole = _whole(text)
    return whole if len(whole) <= _LONGEST_TEXT else whole[: _LONGEST_TEXT - 1] + "…"
