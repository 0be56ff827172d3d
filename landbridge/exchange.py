"""One request and its reply, and how it is carried through, without a socket.

`attempts` is the whole behaviour of a call: deadline, question id, the one retry. It is a generator
that says what to do next; a driver with threads and one with asyncio do it.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from numbers import Real
from typing import Any, Final, Generic, Protocol, TypeVar

from google.protobuf.message import DecodeError, Message

from landbridge.access_list import AccessList, read_accesses
from landbridge.answers import Answer, Plan, Reply, Value
from landbridge.consultation.view import View, read_callers
from landbridge.directory import Directory
from landbridge.errors import LandbridgeError, error
from landbridge.v1 import batch_pb2, consult_pb2, gateway_pb2, portal_pb2, question_pb2
from landbridge.wire import (
    read_answer,
    read_directory,
    read_plan,
    read_replies,
    read_reply,
    write_literal,
)

Result = TypeVar("Result")

MAXIMUM_REQUEST_BYTES: Final = 4 * 1024 * 1024 - 1024
LONGEST_TIMEOUT: Final = 86_400.0
_HANDLER: Final = re.compile(r"[^.\s]+\.[^.\s]+")
PAUSE: Final = 0.25
"""Seconds before the retry: longer than the channel waits before it connects anew."""

PASSING: Final = frozenset({"GATEWAY_UNREACHABLE", "SHUTTING_DOWN"})
"""What a second attempt can mend: the reply was lost, or another replica takes over. The other
reasons of UNAVAILABLE are the gateway's word, already logged; asking again at once adds load."""


@dataclass(frozen=True, slots=True)
class Exchange(Generic[Result]):
    """A request, the gateway's service and method that take it, and how its reply is read.

    `service` is the one of `landbridge.v1` that has the method. Repeating it is safe: it changes
    nothing, it carries a question id, or it names the turn that it is made on.
    """

    method: str
    request: Message
    read: Callable[[Any], Result]
    service: str = "Gateway"

    def __post_init__(self) -> None:
        if self.request.ByteSize() > MAXIMUM_REQUEST_BYTES:
            raise error(
                "INVALID_ARGUMENT",
                f"The request is larger than {MAXIMUM_REQUEST_BYTES} bytes; ask for less at once.",
            )


@dataclass(frozen=True, slots=True)
class Send:
    """Send the request and give back its reply, or the error that came instead."""

    method: str
    request: Message
    seconds: float
    service: str = "Gateway"


@dataclass(frozen=True, slots=True)
class Listen:
    """Open a stream of replies; gives them back as `Replies`, before anything is heard."""

    method: str
    request: Message
    seconds: float
    service: str


@dataclass(frozen=True, slots=True)
class Replies:
    """A stream that was opened; let go of, it is ended."""

    source: Any


@dataclass(frozen=True, slots=True)
class Hear:
    """Wait for the next reply of a stream: it, the error that came instead, or None at its end."""

    replies: Replies


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait."""

    seconds: float


class Batches(Protocol):
    """What goes over a stream, one batch after the other, and takes what comes back."""

    def begin(self) -> tuple[int, Message]:
        """A new stream: its number, and its first message."""
        ...

    def next(self, stream: int, token: str) -> Message | None:
        """The next message for that stream; None where there is no more to send on it."""
        ...

    def take(self, stream: int, response: Any) -> None:
        """A reply; raises a LandbridgeError for one that cannot be believed."""
        ...


@dataclass(frozen=True, slots=True)
class HandOn:
    """Open a stream, send what there is, and take every reply, until the stream ends."""

    method: str
    batches: Batches
    seconds: float
    under_way: int
    """Messages that are sent before the first one's reply is back."""
    service: str


Outcome = Message | LandbridgeError | Replies | None
"""What a driver gives back: a reply or an error for `Send` and `Hear`, `Replies` for `Listen`, None
for `Pause` and at the end of a stream; for `HandOn` what broke it, None where it ended in order."""

Step = Send | Listen | Hear | Pause | HandOn
Steps = Generator[Step, Outcome, Result]
"""What is to be done, one thing after another, until it has a result."""


def attempts(
    exchange: Exchange[Result], timeout: float, clock: Callable[[], float]
) -> Steps[Result]:
    """The steps of a call that ends within `timeout` seconds; returns what was read.

    Raises DEADLINE when time is up, and what the gateway raised. After a `PASSING` failure the same
    request, with the same question id, is sent once more.
    """
    end = clock() + _seconds(timeout)
    retried = False
    while True:
        left = end - clock()
        if left <= 0:
            raise error("DEADLINE")
        outcome = yield Send(exchange.method, exchange.request, left, exchange.service)
        if not isinstance(outcome, LandbridgeError):
            return exchange.read(outcome)
        if retried or outcome.reason not in PASSING or end - clock() <= PAUSE:
            raise outcome
        retried = True
        yield Pause(PAUSE)


def query(
    sql: str,
    *,
    purpose: str,
    epsilon: float | None,
    partial: bool,
    mixed_dates: bool = False,
    parameters: Sequence[Value] = (),
    grant: bytes | None = None,
) -> Exchange[Answer]:
    """Answers one SELECT of aggregates, with `parameters` in its places (?).

    `grant` is what an officer of the owner let through.
    """
    _require_flag("partial", partial)
    _require_flag("mixed_dates", mixed_dates)
    request = gateway_pb2.QueryRequest(
        sql=question_text(sql),
        purpose=stated(purpose),
        micro_epsilon=micro_epsilon(epsilon),
        partial=partial,
        question_id=question_id(),
        parameters=_literals(parameters),
        mixed_dates=mixed_dates,
    )
    if grant is None:
        return Exchange("Query", request, read_answer)
    granted = consult_pb2.QueryGrantedRequest(query=request, grant=_grant(grant))
    return Exchange(
        "QueryGranted", granted, lambda reply: read_answer(reply.response), "Consultations"
    )


def _require_flag(name: str, value: object) -> None:
    if not isinstance(value, bool):
        raise error("INVALID_ARGUMENT", f"{name} must be True or False, not {_kind(value)}.")


def explain(
    sql: str,
    *,
    purpose: str,
    epsilon: float | None,
    mixed_dates: bool = False,
    parameters: Sequence[Value] = (),
) -> Exchange[Plan]:
    """What a query would do, need and cost."""
    _require_flag("mixed_dates", mixed_dates)
    request = gateway_pb2.ExplainRequest(
        sql=question_text(sql),
        purpose=stated(purpose),
        micro_epsilon=micro_epsilon(epsilon),
        parameters=_literals(parameters),
        mixed_dates=mixed_dates,
    )
    return Exchange("Explain", request, read_plan)


def call(
    handler: str,
    *,
    purpose: str,
    arguments: dict[str, Value],
    consent: str = "",
    grant: bytes | None = None,
) -> Exchange[Reply]:
    """Runs a department's handler for one subject."""
    request = gateway_pb2.CallRequest(
        handler=_handler(handler),
        purpose=stated(purpose),
        question_id=question_id(),
        consent=text(consent, "INVALID_ARGUMENT", "The consent reference"),
        arguments={
            name: write_literal(value, f"The argument {name}") for name, value in arguments.items()
        },
    )
    if grant is None:
        return Exchange("Call", request, read_reply)
    granted = consult_pb2.CallGrantedRequest(call=request, grant=_grant(grant))
    return Exchange(
        "CallGranted", granted, lambda reply: read_reply(reply.response), "Consultations"
    )


def call_many(
    handler: str,
    subjects: Sequence[Value],
    *,
    purpose: str,
    arguments: dict[str, Value],
    consents: Sequence[str] = (),
) -> Exchange[tuple[Reply, ...]]:
    """Runs a department's handler for each of up to 1,000 subjects."""
    request = batch_pb2.CallManyRequest(
        handler=_handler(handler),
        subjects=[write_literal(subject, "A subject") for subject in subjects],
        arguments={
            name: write_literal(value, f"The argument {name}") for name, value in arguments.items()
        },
        consents=[text(each, "INVALID_ARGUMENT", "A consent reference") for each in consents],
        purpose=stated(purpose),
        question_id=question_id(),
    )
    return Exchange("CallMany", request, read_replies, "Calls")


def directory() -> Exchange[Directory]:
    """The members, their contracts and handlers."""
    return Exchange("Directory", gateway_pb2.DirectoryRequest(), read_directory)


def _handler(handler: str) -> str:
    if not is_handler(handler):
        raise error(
            "INVALID_ARGUMENT",
            'The handler must be named "department.handler", for example "faa.airworthiness_band".',
        )
    return text(handler, "INVALID_ARGUMENT", "The handler's name")


def about(subject: str, *, purpose: str, before: Mapping[str, int] | None) -> Exchange[AccessList]:
    """Who looked at one person's data."""
    if not isinstance(subject, str) or not subject:
        raise error("INVALID_ARGUMENT", "The subject must be text.")
    request = portal_pb2.AboutRequest(
        purpose=stated(purpose),
        question_id=question_id(),
        subject=text(subject, "INVALID_ARGUMENT", "The subject"),
        before=before or {},
    )
    return Exchange("About", request, read_accesses, "Portal")


def consult(
    matter: str, *, purpose: str, basis: str, epsilon: float | None, arguments: dict[str, Value]
) -> Exchange[View]:
    """Puts a question, or a handler with its arguments, before an officer of its owner."""
    handler = matter if is_handler(matter) else ""
    if arguments and not handler:
        raise error("INVALID_ARGUMENT", "A question has no arguments; a handler does.")
    request = consult_pb2.OpenConsultationRequest(
        sql="" if handler else question_text(matter),
        handler=handler,
        arguments={
            name: write_literal(value, f"The argument {name}") for name, value in arguments.items()
        },
        purpose=stated(purpose),
        micro_epsilon=micro_epsilon(epsilon),
        basis=text(basis, "INVALID_ARGUMENT", "The legal basis"),
        question_id=question_id(),
    )
    return Exchange("OpenConsultation", request, _consultation, "Consultations")


def follow(identifier: str, *, after: int, wait: float) -> Exchange[View]:
    """How a consultation stands, and what happened after that event."""
    request = consult_pb2.FollowConsultationRequest(
        id=text(identifier, "INVALID_ARGUMENT", "The id"), after=after, wait_seconds=int(wait)
    )
    return Exchange("FollowConsultation", request, _consultation, "Consultations")


def respond(
    identifier: str, *, turn: int, reply: str = "", accept: bool = False, withdraw: bool = False
) -> Exchange[View]:
    """The caller's move."""
    request = consult_pb2.RespondConsultationRequest(
        id=text(identifier, "INVALID_ARGUMENT", "The id"),
        turn=turn,
        reply=text(reply, "INVALID_ARGUMENT", "The reply"),
        accept=accept,
        withdraw=withdraw,
        question_id=question_id(),
    )
    return Exchange("RespondConsultation", request, _consultation, "Consultations")


def is_handler(matter: object) -> bool:
    """Whether the text names a handler, "department.handler", and is no question."""
    return isinstance(matter, str) and bool(_HANDLER.fullmatch(matter.strip()))


def _consultation(reply: Any) -> View:
    return read_callers(reply.consultation)


def _grant(grant: bytes) -> consult_pb2.Grant:
    try:
        return consult_pb2.Grant.FromString(grant)
    except (DecodeError, TypeError):
        raise error("GRANT_INVALID", "This is no grant.") from None


def question_id() -> str:
    """A new one: 32 hexadecimal digits."""
    return secrets.token_hex(16)


def _literals(parameters: Sequence[Value]) -> list[question_pb2.Literal]:
    if not isinstance(parameters, Sequence) or isinstance(parameters, str | bytes):
        raise error(
            "INVALID_ARGUMENT", "parameters must be a list of values, one for each place (?)."
        )
    return [
        write_literal(value, f"Parameter {number}") for number, value in enumerate(parameters, 1)
    ]


def question_text(sql: str) -> str:
    """The text of a question; raises INVALID_QUESTION for what is none."""
    if not isinstance(sql, str) or not sql.strip():
        raise error("INVALID_QUESTION", "The question must be text with one SELECT in it.")
    return text(sql, "INVALID_QUESTION", "The question")


def stated(purpose: str) -> str:
    """The purpose; raises PURPOSE_MISSING."""
    if not isinstance(purpose, str) or not purpose.strip():
        raise error(
            "PURPOSE_MISSING",
            'The purpose must be stated, for example purpose="dpv:ResearchAndDevelopment".',
        )
    return text(purpose, "INVALID_ARGUMENT", "The purpose")


def text(given: str, reason: str, what: str) -> str:
    """The text, which can travel; raises `reason`."""
    try:
        given.encode()
    except UnicodeEncodeError:
        raise error(reason, f"{what} must be valid Unicode text.") from None
    return given


def micro_epsilon(epsilon: object) -> int:
    """Millionths of epsilon, rounded; 0 for the contract's own default, None.

    Raises INVALID_ARGUMENT, EPSILON_OUT_OF_RANGE.
    """
    if epsilon is None:
        return 0
    if isinstance(epsilon, bool) or not isinstance(epsilon, Real | Decimal):
        raise error("INVALID_ARGUMENT", f"epsilon must be a number, not {_kind(epsilon)}.")
    number = float(epsilon)
    micro = round(number * 1e6) if 0 < number <= 1e6 else 0
    if micro == 0:  # also NaN; and 0 on the wire would mean the default, a larger charge
        raise error(
            "EPSILON_OUT_OF_RANGE",
            "epsilon must be a number from 0.000001 to 1000000.",
            hint="Leave it out for the contract's default.",
        )
    return micro


def _seconds(timeout: object) -> float:
    if (
        not isinstance(timeout, int | float)
        or isinstance(timeout, bool)
        or not 0 < timeout <= LONGEST_TIMEOUT
    ):
        raise error(
            "INVALID_ARGUMENT",
            f"timeout must be a number of seconds above 0 and at most {LONGEST_TIMEOUT:.0f}.",
        )
    return float(timeout)


def _kind(value: object) -> str:
    return type(value).__name__
