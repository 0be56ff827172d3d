"""A federation for the tour in memory: canned answers, real logs, real receipts."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self, cast

from landbridge.answers import Answer, Budget, Cell, Column, ColumnType, Cost, Plan, Reply
from landbridge.cli.tour import QUESTIONS, Question
from landbridge.client import Client
from landbridge.directory import Directory, Member
from landbridge.errors import LandbridgeError, error
from landbridge.evidence import Entry, Log, Signer
from landbridge.receipt import Receipt
from landbridge.v1 import evidence_pb2

DEPARTMENTS = ("ewr", "jfk", "lga", "faa", "noaa")
MONTHS = 5
"""How many months of the last question the budget lasts for."""


@dataclass
class Town:
    """Does what the demo's federation does, unless a test changes one thing.

    `answers` replaces an answer by the question's title; `refusals` by the question's title too,
    None for an answer instead; `lost` are titles whose receipt does not come.
    """

    folder: Path
    answers: dict[str, Answer | LandbridgeError] = field(default_factory=dict)
    refusals: dict[str, str | None] = field(default_factory=dict)
    lost: set[str] = field(default_factory=set)
    months: int = MONTHS
    reachable: bool = True
    reply: str | LandbridgeError = "MATURE"
    mode: str = "pooled"

    def __post_init__(self) -> None:
        self._open = ExitStack()
        self._logs = {
            name: self._open.enter_context(
                Log.open(
                    self.folder / name / "log",
                    self.folder / name / "journal",
                    Signer.create(f"town/{name}"),
                    publish_every=0.01,
                )
            )
            for name in ("gateway", *DEPARTMENTS)
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    @property
    def address(self) -> str:
        return "127.0.0.1:1"

    @property
    def ca(self) -> Path:
        return self.folder / "ca.pem"

    def log(self, department: str | None = None) -> Path:
        return self.folder / (department or "gateway") / "log"

    def token(self, caller: str) -> str:
        return caller

    def client(self, caller: str) -> Client:
        return cast(Client, _Client(self, caller))

    def unguarded(self, _address: str, _ca: Path, _token: str, sql: str, purpose: str) -> Answer:
        """What `landbridge.cli.unguarded.query` does."""
        assert purpose == ""
        return self.ask(sql, "PURPOSE_MISSING", "Purpose missing")

    def ask(self, sql: str, refused: str | None, title: str) -> Answer:
        """An answer, or a refusal for that reason; logged."""
        if title in self.refusals:
            refused = self.refusals[title]
        if refused is not None:
            raise error(refused, receipt=self._bytes(self._logged((), refused), title))
        found = self.answers.get(title)
        if isinstance(found, LandbridgeError):
            raise found
        answer = found or right_answer(sql)
        receipt = self._logged(answer.departments)
        return replace(answer, receipt=None if title in self.lost else receipt)

    def logged_reply(self) -> Reply:
        """A handler's reply."""
        if isinstance(self.reply, LandbridgeError):
            raise self.reply
        receipt = None if "reply" in self.lost else self._logged(("faa",))
        return Reply(self.reply, "1", receipt)

    def _logged(self, departments: tuple[str, ...], reason: str = "") -> Receipt:
        entry = Entry(
            kind="query",
            time="2026-01-01T00:00:00.000000Z",
            question_id=secrets.token_hex(16),
            outcome="refused" if reason else "answered",
            reason=reason,
        )
        parts = []
        for name in departments:
            found = self._logs[name].append(entry.to_bytes())
            parts.append(
                {"department": name, "index": found.index, "leaf_hash": found.leaf_hash.hex()}
            )
        whole = replace(entry, parts=parts)  # type: ignore[arg-type]
        proven = self._logs["gateway"].append(whole.to_bytes())
        return Receipt(proven.entry, proven.proof)

    def _bytes(self, receipt: Receipt, title: str) -> bytes:
        if title in self.lost:
            return b""
        return evidence_pb2.Receipt(entry=receipt.entry, proof=receipt.proof).SerializeToString()


@dataclass
class _Client:
    town: Town
    caller: str
    asked: dict[str, int] = field(default_factory=dict)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def query(self, sql: str, *, purpose: str, epsilon: float | None) -> Answer:
        assert purpose
        if self.caller == "bob":
            assert epsilon == 6
            month = int(sql.rpartition(" ")[2])
            spent = "BUDGET_EXHAUSTED" if month > self.town.months else None
            return self.town.ask(sql, spent, f"month {month}")
        for question in QUESTIONS:
            if question.sql == sql:
                return self.town.ask(sql, None, question.title)
        return self.town.ask(sql, "INVALID_QUESTION", "Raw rows asked for")

    def explain(self, sql: str, *, purpose: str, epsilon: float | None) -> Plan:
        (question,) = (each for each in QUESTIONS if each.sql == sql)
        assert (question.purpose, question.epsilon) == (purpose, epsilon)
        return Plan(
            self.town.mode, "Because of the contracts.", "SELECT 1", "flights",
            question.departments, (), 1, 4.0, 1e-6, {"flights": 12.5, "mean": None}, (), (), 1, 24,
        )  # fmt: skip

    def call(self, handler: str, *, purpose: str, **arguments: str) -> Reply:
        assert (handler, purpose) == ("faa.airworthiness_band", "dpv:LegalCompliance")
        assert list(arguments) == ["tailnum"]
        return self.town.logged_reply()

    def directory(self) -> Directory:
        return Directory(
            tuple(
                Member(name, name.upper(), name != "noaa" or self.town.reachable, (), ())
                for name in DEPARTMENTS
            )
        )


def right_answer(sql: str) -> Answer:
    """What the tour wants to see of a question; anything else is bob's."""
    by_sql: Mapping[str, Question] = {question.sql: question for question in QUESTIONS}
    question = by_sql.get(sql, Question("", "bob", sql, departments=("ewr",)))
    half_width = 0.0 if question.exact else 9.5
    budgets = tuple(
        Budget(name, 4.0, 16.0, 0.9, "2027-01-01", 17)
        for name in question.departments
        if not question.exact and name not in question.free
    )
    return Answer(
        columns=(
            Column("key", ColumnType.TEXT, released=False),
            Column("n", ColumnType.INTEGER, released=True),
        ),
        cells=((Cell("x", None), Cell(100, half_width)),),
        notes=(),
        missing=(),
        departments=question.departments,
        cost=Cost(0.0 if question.exact else 4.0, 1e-6, budgets),
        receipt=None,
    )
