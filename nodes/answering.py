"""A question from arrival to receipt, at the node: steps (6) to (10), in that order."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from hashlib import sha256

from landbridge.edge.record import Draft, Logged, Recorder
from landbridge.errors import error
from landbridge.v1 import release_pb2
from nodes.compile import Statement, compile_histograms, compile_question, compile_selection
from nodes.convert import release_to
from nodes.engines.engine import Cell, Engine
from nodes.guard import Asking, Guard, Permission
from nodes.history import History
from nodes.ledger import Account, Ledger, Remembered, Reservation
from nodes.release import release
from nodes.selection import Selected, select
from nodes.shape import fits
from nodes.store import Loaded
from nodes.tables import Tables
from policies.canonical import masking, text
from policies.contract import Contract, Method
from policies.differencing import Asked, asked
from policies.disclosure import ReleasePlan, plan_release
from policies.noise import Draw
from policies.question import Question

MARGIN = 0.25
"""Seconds kept back from the deadline for the release, the log and the way back."""


@dataclass(frozen=True, slots=True)
class Answered:
    """What the node replies: a release, what it cost, what is left, and the proof."""

    release: release_pb2.Release
    charged: int
    recipient: Account
    overall: Account
    logged: Logged


@dataclass(frozen=True, slots=True)
class Estimated:
    """What an answer would be like; no data was touched and nothing charged."""

    plan: ReleasePlan
    recipient: Account
    overall: Account


@dataclass(frozen=True, slots=True)
class _Run:
    """What a computation needs, all of one data version."""

    engine: Engine
    contract: Contract
    plan: ReleasePlan
    data_version: str
    time_left: Callable[[], float]


class Answering:
    """The use case of one department. Everything that acts is passed in."""

    def __init__(
        self,
        guard: Guard,
        ledger: Ledger,
        tables: Tables,
        recorder: Recorder,
        draw: Draw,
        history: History,
    ) -> None:
        self._guard = guard
        self._ledger = ledger
        self._tables = tables
        self._recorder = recorder
        self._draw = draw
        self._history = history
        self._turns = _Turns()

    def answer(
        self,
        asking: Asking,
        question: Question,
        micro_epsilon: int,
        members: Sequence[str],
        *,
        time_left: Callable[[], float],
        trace_id: str,
    ) -> Answered:
        """Releases noisy cells or raises a refusal; either is in the log before this returns."""
        with self._recorder.request("query", trace_id=trace_id) as draft:
            permission = self._guard.question(asking, question, members, draft)  # (6)
            contract = permission.contract
            plan = plan_release(question, contract, micro_epsilon, len(members))
            recipient = permission.caller.organisation
            with self._tables.open() as (engine, tables):
                version = self._data_version(contract, tables)
                draft.note(data_version=version)
                run = _Run(engine, contract, plan, version, time_left)
                if contract.disclosure.method is Method.UNPROTECTED:
                    found, charged = self._compute(run), 0
                else:
                    memory = _memory_key(plan, permission, version)
                    with self._turns.turn(memory):  # the same question twice at once is one draw
                        self._history.admit(contract, self._asked(question, contract))
                        reserved = self._ledger.reserve(  # (7)
                            asking.question_id, memory, contract, recipient, plan.cost_micro_rho
                        )
                        found, charged = self._charged(reserved, run, draft)
            accounts = self._ledger.accounts(contract, recipient)
            logged = self._log(draft, found, charged, accounts)  # (10)
            return Answered(found, charged, *accounts, logged)

    def estimate(
        self,
        asking: Asking,
        question: Question,
        micro_epsilon: int,
        members: Sequence[str],
        *,
        trace_id: str,
    ) -> Estimated:
        """What `answer` would cost and how accurate it would be; refuses as `answer` would."""
        with self._recorder.request("explain", trace_id=trace_id) as draft:
            permission = self._guard.question(asking, question, members, draft)
            plan = plan_release(question, permission.contract, micro_epsilon, len(members))
            self._history.compare(permission.contract, self._asked(question, permission.contract))
            accounts = self._ledger.accounts(permission.contract, permission.caller.organisation)
            draft.answered(b"")
            return Estimated(plan, *accounts)

    def _asked(self, question: Question, contract: Contract) -> Asked:
        return asked(question, masking(contract, partial(self._recorder.digest, "literal")))

    def _data_version(self, contract: Contract, tables: Mapping[str, Loaded]) -> str:
        """Which load of each table the answer is computed from, in the order of the parts."""
        versions = []
        for part in contract.each:
            loaded = tables.get(part.id)
            if loaded is None or not fits(loaded, part):
                # An operator's matter; the caller learns only that this department is not ready.
                raise error(
                    "DEPARTMENT_MISSING",
                    f"Department {self._guard.department} has not loaded {part.id} yet.",
                    missing=(self._guard.department,),
                )
            versions.append(loaded.version)
        return " ".join(versions)

    def _charged(
        self, reserved: Reservation | Remembered, run: _Run, draft: Draft
    ) -> tuple[release_pb2.Release, int]:
        """The release for a reservation, and what it was charged."""
        if isinstance(reserved, Remembered):
            found = release_pb2.Release.FromString(reserved.release)
            found.remembered = True
            return found, 0
        if run.time_left() <= MARGIN + run.plan.seconds:
            self._ledger.give_back(reserved)  # no data was read
            raise error("DEADLINE")
        draft.note(charged_micro_rho=reserved.micro_rho)
        found = self._compute(run)
        self._ledger.finish(reserved, found.SerializeToString())
        return found, reserved.micro_rho

    def _compute(self, run: _Run) -> release_pb2.Release:
        plan, codes = run.plan, tuple[int, ...]()
        chosen: ReleasePlan | Selected = plan
        if plan.selection is not None:
            # Twice (8) and (9): what is selected is released, so the cells may depend on it.
            counted = _rows(run, compile_selection(plan, run.contract))
            chosen = select(plan, counted, self._draw)
            plan, codes = chosen.plan, chosen.codes
        plain = [compile_question(plan, run.contract, codes)] if plan.plain else []  # (8)
        cells = [row for statement in plain for row in _rows(run, statement)]
        # One engine for all of them, so of one data version, and one deadline.
        histograms = [_rows(run, each) for each in compile_histograms(plan, run.contract, codes)]
        released = release(chosen, cells, self._draw, histograms)  # (9)
        return release_to(released, run.data_version)

    @staticmethod
    def _log(
        draft: Draft,
        found: release_pb2.Release,
        charged: int,
        accounts: tuple[Account, Account],
    ) -> Logged:
        recipient, overall = accounts
        draft.note(
            charged_micro_rho=charged,
            remembered=found.remembered,
            suppressed=found.suppressed,
            budget={
                "recipient_spent": recipient.spent,
                "recipient_limit": recipient.limit,
                "overall_spent": overall.spent,
                "overall_limit": overall.limit,
            },
        )
        return draft.answered(found.SerializeToString(deterministic=True))


def _rows(run: _Run, statement: Statement) -> list[tuple[Cell, ...]]:
    timeout = run.time_left() - MARGIN - run.plan.seconds
    if timeout <= 0:
        raise error("DEADLINE")
    return run.engine.run(
        statement.sql, statement.parameters, timeout=timeout, maximum_rows=statement.rows
    )


def _memory_key(plan: ReleasePlan, permission: Permission, data_version: str) -> bytes:
    """What makes two askings the same: question, accuracy, data, terms, recipient."""
    parts = (
        text(plan.question),
        repr(plan.epsilon),
        data_version,
        permission.contract.digest,
        permission.caller.organisation,
    )
    return sha256("\0".join(parts).encode()).digest()


class _Turns:
    """One at a time per key; nothing is kept for a key that nobody holds."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: dict[bytes, tuple[threading.Lock, int]] = {}

    @contextmanager
    def turn(self, key: bytes) -> Iterator[None]:
        with self._lock:
            lock, users = self._held.get(key, (threading.Lock(), 0))
            self._held[key] = (lock, users + 1)
        try:
            with lock:
                yield
        finally:
            with self._lock:
                lock, users = self._held[key]
                if users == 1:
                    del self._held[key]
                else:
                    self._held[key] = (lock, users - 1)
