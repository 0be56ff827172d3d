"""A gateway in memory, whose answers, refusals and outages a test writes down."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import grpc
from google.protobuf.message import Message

from landbridge.annotation import Terms, agreed
from landbridge.answers import Answer, Plan, Value
from landbridge.client import AsyncClient, Client
from landbridge.directory import Directory, Member
from landbridge.errors import LandbridgeError, error
from landbridge.identity.bearer import bearer_token
from landbridge.literals import from_literal
from landbridge.testing.channel import Lost, MemoryWay, Metadata
from landbridge.testing.script import (
    Columns,
    answer,
    directory_response,
    explain_response,
    query_response,
)
from landbridge.v1 import gateway_pb2

TOKEN = "test-token"  # noqa: S105 - nobody checks it

Matches = str | re.Pattern[str] | Callable[["Asked"], bool] | None
"""Which questions: this text, whatever its white space; texts in which the pattern is found; those
for which a function says so; None: all."""

_QUESTION_ID = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Asked:
    """One request as it arrived: of `method` "Query", "Explain", "Call" or "Directory".

    `sql` is the text, or the handler's name; `epsilon` is None for the contract's default.
    """

    method: str
    sql: str = ""
    purpose: str = ""
    epsilon: float | None = None
    partial: bool = False
    parameters: tuple[Value, ...] = ()
    arguments: Mapping[str, Value] = field(default_factory=dict)
    question_id: str = ""
    mixed_dates: bool = False


Says = Message | LandbridgeError


@dataclass(frozen=True, slots=True)
class _Line:
    method: str
    matches: Matches
    says: Callable[[Asked], Says]


class MemoryGateway:
    """What was written last goes first. `asked` holds every request that arrived, oldest first.

    As at a real gateway, one question id is one answer: a request that is sent again, because its
    reply was lost, gets the reply that was lost, and `charged` counts it once.
    """

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.charged = 0
        self.unscripted: list[Asked] = []
        self._lines: list[_Line] = []
        self._members: tuple[Member, ...] = ()
        self._given: dict[str, tuple[bytes, bytes]] = {}
        self._losing: list[tuple[grpc.StatusCode, bool]] = []
        self._down = False
        self._lock = threading.RLock()

    def client(self) -> Client:
        """A client of this gateway, for threads."""
        return Client(MemoryWay(self._serve), TOKEN)

    def aclient(self) -> AsyncClient:
        """A client of this gateway, for the running event loop."""
        return AsyncClient(MemoryWay(self._serve), TOKEN)

    def answers(
        self,
        question: Matches,
        given: Answer | Columns | Callable[[Asked], Answer],
    ) -> None:
        """Answers these questions so; `given` as columns is read by `landbridge.testing.answer`."""

        def say(asked: Asked) -> Says:
            found = given(asked) if callable(given) else given
            return query_response(found if isinstance(found, Answer) else answer(found))

        self._line("Query", question, say)

    def plans(self, question: Matches, plan: Plan) -> None:
        """Explains these questions so."""
        self._line("Explain", question, lambda _: explain_response(plan))

    def replies(self, handler: Matches, code: str, *, version: str = "1") -> None:
        """Replies so to calls of the handler "department.handler"."""
        self._line("Call", handler, lambda _: gateway_pb2.CallResponse(code=code, version=version))

    def refuses(
        self,
        reason: str,
        question: Matches = None,
        message: str = "",
        *,
        rule: str = "",
        hint: str = "",
        missing: Sequence[str] = (),
    ) -> None:
        """Refuses these questions, explanations and calls with a reason of the catalogue.

        Raises KeyError for a word that is none.
        """

        def say(_: Asked) -> Says:
            return error(reason, message, rule=rule, hint=hint, missing=missing)

        say(Asked("Query"))  # a word that is none fails here, in the test that wrote it
        for method in ("Query", "Explain", "Call"):
            self._line(method, question, say)

    def offers(self, *members: Member) -> None:
        """Shows these members in the directory."""
        self._members = members

    def loses(self, replies: int = 1) -> None:
        """The next so many calls are carried out, and their replies lost on the way."""
        self._losing += [(grpc.StatusCode.UNAVAILABLE, True)] * replies

    def hangs(self, calls: int = 1) -> None:
        """The next so many calls are never answered: they end by their deadline."""
        self._losing += [(grpc.StatusCode.DEADLINE_EXCEEDED, False)] * calls

    def goes_down(self) -> None:
        """Nobody answers from now on."""
        self._down = True

    def comes_back(self) -> None:
        """Calls are answered again."""
        self._down = False

    def _line(self, method: str, matches: Matches, says: Callable[[Asked], Says]) -> None:
        with self._lock:
            self._lines.insert(0, _Line(method, matches, says))

    def _serve(self, method: str, request: bytes, metadata: Metadata) -> bytes:
        with self._lock:
            if self._down:
                raise Lost(grpc.StatusCode.UNAVAILABLE)
            lost, carried_out = self._losing.pop(0) if self._losing else (None, True)
            reply = self._reply(method, request, metadata) if carried_out else b""
            if lost is not None:
                raise Lost(lost)
            return reply

    def _reply(self, method: str, request: bytes, metadata: Metadata) -> bytes:
        bearer_token(metadata)
        asked = _read(method, request)
        self.asked.append(asked)
        if method == "Directory":
            return directory_response(Directory(self._members)).SerializeToString()
        _require(asked)
        earlier, reply = self._given.get(asked.question_id, (request, b""))
        if earlier != request:
            raise error("QUESTION_ID_REUSED")
        if not reply:
            says = self._says(asked)
            if isinstance(says, LandbridgeError):
                raise says
            reply = says.SerializeToString()
            if asked.question_id:
                self._given[asked.question_id] = (request, reply)
                self.charged += method == "Query"
        return reply

    def _says(self, asked: Asked) -> Says:
        for line in self._lines:
            if line.method == asked.method and _matches(line.matches, asked):
                return line.says(asked)
        self.unscripted.append(asked)
        return error(
            "NOT_AVAILABLE",
            f"Nothing is written down in this test for {asked.method} {asked.sql[:200]!r}.",
        )


@contextmanager
def gateway() -> Iterator[MemoryGateway]:
    """A gateway for the block; at its end, AssertionError where it was asked what nobody wrote."""
    made = MemoryGateway()
    yield made
    if made.unscripted:
        first = made.unscripted[0]
        raise AssertionError(
            f"The gateway was asked {len(made.unscripted)} things that the test does not write "
            f"down, first {first.method} {first.sql!r} for purpose {first.purpose!r}."
        )


def _read(method: str, request: bytes) -> Asked:
    match method:
        case "Query":
            query = gateway_pb2.QueryRequest.FromString(request)
            terms = agreed(query.sql, Terms(query.purpose, query.micro_epsilon))
            return Asked(
                method,
                query.sql,
                terms.purpose,
                terms.micro_epsilon / 1_000_000 or None,
                query.partial,
                tuple(map(from_literal, query.parameters)),
                question_id=query.question_id,
                mixed_dates=query.mixed_dates,
            )
        case "Explain":
            explain = gateway_pb2.ExplainRequest.FromString(request)
            terms = agreed(explain.sql, Terms(explain.purpose, explain.micro_epsilon))
            return Asked(
                method,
                explain.sql,
                terms.purpose,
                terms.micro_epsilon / 1_000_000 or None,
                parameters=tuple(map(from_literal, explain.parameters)),
                mixed_dates=explain.mixed_dates,
            )
        case "Call":
            call = gateway_pb2.CallRequest.FromString(request)
            return Asked(
                method,
                call.handler,
                call.purpose,
                arguments={name: from_literal(value) for name, value in call.arguments.items()},
                question_id=call.question_id,
            )
        case "Directory":
            return Asked(method)
        case _:
            raise error("NOT_AVAILABLE", f"A gateway in memory does not serve {method}.")


def _require(asked: Asked) -> None:
    """What every gateway asks of a request, whatever it answers."""
    if asked.method != "Explain" and not _QUESTION_ID.fullmatch(asked.question_id):
        raise error("INVALID_ARGUMENT", "A question id is 32 lower-case hexadecimal digits.")
    if not asked.purpose:
        raise error("PURPOSE_MISSING")


def _matches(matches: Matches, asked: Asked) -> bool:
    match matches:
        case None:
            return True
        case str():
            return matches.split() == asked.sql.split()
        case re.Pattern():
            return matches.search(asked.sql) is not None
        case _:
            return matches(asked)
