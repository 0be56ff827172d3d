"""The tour of the demo's federation: what is asked, what comes back, and whether it fell short.

It knows what the federation promises, never what the data says: an answer falls short without an
error bar, without a department or without its log entry, not by its value.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from landbridge.answers import Answer, Plan, Reply
from landbridge.cli import unguarded
from landbridge.client import Client
from landbridge.directory import Directory
from landbridge.errors import LandbridgeError
from landbridge.receipt import Receipt
from landbridge.wire import error_receipt

RESEARCH: Final = "dpv:ResearchAndDevelopment"
MOST_ATTEMPTS: Final = 12
"""To exhaust a budget; the demo's lasts for five."""


class Toured(Protocol):
    """What the tour needs of a running federation."""

    @property
    def address(self) -> str:
        """Where the gateway listens, "host:port"."""
        ...

    @property
    def ca(self) -> Path:
        """The certificate authority that callers trust, PEM."""
        ...

    def client(self, caller: str) -> Client:
        """A connected client with a token of that caller."""
        ...

    def token(self, caller: str) -> str:
        """A token of that caller."""
        ...

    def log(self, department: str | None = None) -> Path:
        """The published log folder of a department, or of the gateway."""
        ...


@dataclass(frozen=True, slots=True)
class Question:
    """Something to ask. `exact`: it describes nobody, so the numbers carry no noise.

    `free` are the departments whose tables protect nobody and that are charged nothing.
    `pooled`: the plan is shown first, and has to say that nobody's part is seen.
    """

    title: str
    caller: str
    sql: str
    purpose: str = RESEARCH
    epsilon: float | None = None
    departments: tuple[str, ...] = ()
    exact: bool = False
    free: tuple[str, ...] = ()
    pooled: bool = False


QUESTIONS: Final = (
    Question(
        "Which carriers fly from Newark? One department, noise that hides any single aircraft",
        "alice",
        "SELECT carrier, count(*) AS flights FROM ewr.flights "
        "GROUP BY carrier ORDER BY flights DESC LIMIT 6",
        epsilon=4,
        departments=("ewr",),
    ),
    Question(
        "How many flights, and how late? One total of all three airports, and no part of any",
        "alice",
        "SELECT count(*) AS flights, avg(dep_delay) AS mean_delay FROM flights",
        epsilon=4,
        departments=("ewr", "jfk", "lga"),
        pooled=True,
    ),
    Question(
        "What do registered aircraft fly with? The register's budget is its own",
        "alice",
        "SELECT engine, count(*) AS aircraft FROM planes GROUP BY engine ORDER BY aircraft DESC",
        departments=("faa",),
    ),
    Question(
        "How warm is each month? Weather describes nobody: exact, and free of charge",
        "alice",
        "SELECT month, avg(temp) AS fahrenheit FROM weather GROUP BY month ORDER BY month",
        departments=("noaa",),
        exact=True,
    ),
    Question(
        "How late, by kind of engine? Three airports and the register, linked on the aircraft: "
        "nobody shows a row, and what lies under the minimum stays NULL",
        "alice",
        "SELECT engine, count(DISTINCT tailnum) AS aircraft, avg(dep_delay) AS mean_delay "
        "FROM flights JOIN faa.planes USING (tailnum) GROUP BY engine ORDER BY engine",
        epsilon=4,
        departments=("ewr", "faa", "jfk", "lga"),
    ),
    Question(
        "And by maker of the aircraft? Linked likewise; an aircraft at all three counts once",
        "alice",
        "SELECT manufacturer, count(DISTINCT tailnum) AS aircraft, avg(dep_delay) AS mean_delay "
        "FROM flights JOIN faa.planes USING (tailnum) GROUP BY manufacturer "
        "ORDER BY aircraft DESC NULLS LAST LIMIT 5",
        epsilon=4,
        departments=("ewr", "faa", "jfk", "lga"),
    ),
    Question(
        "Are more flights cancelled when it blows? Three airports and the weather, linked on place "
        "and hour; the noise is what an aircraft with 600 departures costs at each",
        "alice",
        "SELECT width_bucket(wind_speed, 0, 40, 4) AS wind, count(*) AS flights, "
        "sum(CASE WHEN cancelled THEN 1 ELSE 0 END) AS cancelled "
        "FROM flights JOIN noaa.weather USING (origin, time_hour) "
        "GROUP BY width_bucket(wind_speed, 0, 40, 4) ORDER BY wind",
        epsilon=6,
        departments=("ewr", "jfk", "lga", "noaa"),
        free=("noaa",),
    ),
)

RAW_ROWS: Final = Question(
    "Raw rows asked for", "alice", "SELECT carrier, dest, dep_delay FROM ewr.flights LIMIT 10"
)
NO_PURPOSE: Final = Question(
    "Purpose missing", "alice", "SELECT count(*) FROM ewr.flights", purpose=""
)
TOO_MUCH: Final = Question(
    "Budget exhausted: one organisation asks month after month at the highest epsilon",
    "bob",
    "SELECT count(*) AS flights FROM ewr.flights WHERE month = {month}",
    purpose="dpv:ServiceProvision",
    epsilon=6,
)

HANDLER: Final = "faa.airworthiness_band"
SUBJECT: Final = "N14228"


@dataclass(frozen=True, slots=True)
class Members:
    """Who there is."""

    directory: Directory | None
    shortcoming: str


@dataclass(frozen=True, slots=True)
class Answered:
    """A question that was to be answered; `seconds` from asking to the answer.

    `plan` is what was said beforehand, where that was asked.
    """

    question: Question
    answer: Answer | None
    seconds: float
    shortcoming: str
    plan: Plan | None = None


@dataclass(frozen=True, slots=True)
class Declined:
    """A question that was to be refused for a reason, after `answered` that were not."""

    question: Question
    expected: str
    refusal: LandbridgeError | None
    answered: int
    shortcoming: str


@dataclass(frozen=True, slots=True)
class Replied:
    """A handler that was to reply."""

    handler: str
    arguments: dict[str, str]
    caller: str
    purpose: str
    reply: Reply | None
    shortcoming: str


Sight = Members | Answered | Declined | Replied


class Tour:
    """Walks once. `receipts` are those of all `asked` requests that gave one, refusals included."""

    def __init__(
        self,
        federation: Toured,
        clock: Callable[[], float] = time.monotonic,
        ask_unguarded: Callable[[str, Path, str, str, str], Answer] = unguarded.query,
    ) -> None:
        self._federation = federation
        self._clock = clock
        self._ask_unguarded = ask_unguarded
        self.receipts: list[Receipt] = []
        self.asked = 0

    def walk(self) -> Iterator[Sight]:
        """Everything but the logs, in order, as it happens."""
        yield self._members()
        for question in QUESTIONS:
            yield self._answered(question)
        yield self._declined(RAW_ROWS, "INVALID_QUESTION")
        yield self._declined(NO_PURPOSE, "PURPOSE_MISSING")
        yield self._exhausted(TOO_MUCH)
        yield self._replied()

    def _members(self) -> Members:
        try:
            with self._federation.client("carol") as client:
                found = client.directory()
        except LandbridgeError as failure:
            return Members(None, f"The directory did not come: {failure}")
        absent = [member.department for member in found.members if not member.reachable]
        return Members(found, f"No answer came from {', '.join(absent)}." if absent else "")

    def _answered(self, question: Question) -> Answered:
        begun, plan = self._clock(), None
        try:
            if question.pooled:
                plan = self._explained(question)
                begun = self._clock()
            answer = self._ask(question)
        except LandbridgeError as failure:
            self._keep(error_receipt(failure))
            return Answered(question, None, self._clock() - begun, f"No answer came: {failure}")
        seconds = self._clock() - begun
        self._keep(answer.receipt)
        lacks = _lacks(question, answer)
        if plan is not None and plan.mode != "pooled":
            lacks = f"It was not pooled: {plan.why}"
        return Answered(question, answer, seconds, lacks, plan)

    def _explained(self, question: Question) -> Plan:
        """What a question would do and cost; nothing is charged, and there is no receipt."""
        with self._federation.client(question.caller) as client:
            return client.explain(question.sql, purpose=question.purpose, epsilon=question.epsilon)

    def _declined(self, question: Question, expected: str) -> Declined:
        try:
            answer = self._ask(question)
        except LandbridgeError as refusal:
            return self._refused(question, expected, refusal, 0)
        self._keep(answer.receipt)
        return Declined(question, expected, None, 1, "It was answered, but had to be refused.")

    def _exhausted(self, question: Question) -> Declined:
        """Asks month after month until the owner says that it is enough."""
        for month in range(1, MOST_ATTEMPTS + 1):
            monthly = _of_month(question, month)
            try:
                answer = self._ask(monthly)
            except LandbridgeError as refusal:
                return self._refused(monthly, "BUDGET_EXHAUSTED", refusal, month - 1)
            self._keep(answer.receipt)
        return Declined(question, "BUDGET_EXHAUSTED", None, MOST_ATTEMPTS, "The budget had no end.")

    def _replied(self) -> Replied:
        caller, purpose, arguments = "carol", "dpv:LegalCompliance", {"tailnum": SUBJECT}
        reply, shortcoming = None, ""
        self.asked += 1
        try:
            with self._federation.client(caller) as client:
                reply = client.call(HANDLER, purpose=purpose, tailnum=SUBJECT)
        except LandbridgeError as failure:
            shortcoming = f"No reply came: {failure}"
            self._keep(error_receipt(failure))
        else:
            self._keep(reply.receipt)
            shortcoming = "" if reply.receipt else "It came without a receipt."
        return Replied(HANDLER, arguments, caller, purpose, reply, shortcoming)

    def _ask(self, question: Question) -> Answer:
        self.asked += 1
        if not question.purpose:
            federation = self._federation
            token = federation.token(question.caller)
            return self._ask_unguarded(
                federation.address, federation.ca, token, question.sql, question.purpose
            )
        with self._federation.client(question.caller) as client:
            return client.query(question.sql, purpose=question.purpose, epsilon=question.epsilon)

    def _refused(
        self, question: Question, expected: str, refusal: LandbridgeError, answered: int
    ) -> Declined:
        receipt = error_receipt(refusal)
        self._keep(receipt)
        shortcoming = ""
        if refusal.reason != expected:
            shortcoming = f"It was refused for {refusal.reason}, not for {expected}."
        elif receipt is None:
            shortcoming = "It was refused without a receipt."
        return Declined(question, expected, refusal, answered, shortcoming)

    def _keep(self, receipt: Receipt | None) -> None:
        if receipt is not None:
            self.receipts.append(receipt)


def _of_month(question: Question, month: int) -> Question:
    return Question(
        question.title,
        question.caller,
        question.sql.format(month=month),
        question.purpose,
        question.epsilon,
        question.departments,
    )


def _lacks(question: Question, answer: Answer) -> str:
    """What the answer does not have that it promises; empty if nothing."""
    if not answer.cells:
        return "The answer is empty."
    if set(answer.departments) != set(question.departments) or answer.missing:
        return f"It is not by {', '.join(question.departments)}, all of them and nobody else."
    for row in answer.cells:
        for column, cell in zip(answer.columns, row, strict=True):
            if column.released and cell.value is not None and not _told(cell.half_width, question):
                return f"A number of column {column.name} has no error bar."
    charged = set(question.departments) - set(question.free)
    if not question.exact and {each.department for each in answer.cost.budgets} != charged:
        return "It does not say what is left of each department's budget."
    if answer.receipt is None:
        return "It came without a receipt."
    return ""


def _told(half_width: float | None, question: Question) -> bool:
    if half_width is None or not math.isfinite(half_width):
        return False
    return half_width == 0 if question.exact else half_width > 0
