"""A linked question at one department: who asks, at what price, and its rows: steps (6) to (10).

What each round lets out, and to whom, is in docs/linked.md. The entry in the log and the charge are
on disk before any data is read; every later round belongs to them by the question's hash. The
ledger knows a linked question by that hash, and by what makes two of them the same: question,
accuracy, contracts, data and recipient. So an answer that the first department keeps for the
gateway can be given again without a charge, as long as every department still stands by it.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256

import numpy as np

from landbridge.edge.record import Draft, Logged, Recorder
from landbridge.errors import error
from landbridge.protocols.derivation import SECRET_BYTES
from landbridge.protocols.envelope import Envelope
from landbridge.protocols.pseudonyms import BLOCK
from nodes.cells import require_day
from nodes.engines.engine import Engine
from nodes.guard import Asking, Guard
from nodes.ledger import Account, Ledger, Remembered
from nodes.link_making import Making, require_time
from nodes.link_peers import Peers
from nodes.link_rows import SortedRows
from nodes.link_state import Underway, Underways, lost
from nodes.shape import fits
from nodes.store import Loaded
from nodes.tables import Tables
from policies.contract import Method
from policies.link_plan import LinkPlan, SidePlan
from policies.linked import LinkedQuestion, words

MOST_EARLIER = 8
"""Askings of the same question that are named for a repetition."""
MOST_KEPT = 3 << 20
"""Bytes of an answer that is kept for the gateway."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A linked question as it arrived: who asks, what, and the hash of it that this node made."""

    asking: Asking
    question: LinkedQuestion
    question_hash: bytes


@dataclass(frozen=True, slots=True)
class Weighed:
    """What taking part would cost here; no data was touched.

    `earlier` are the hashes of earlier askings that this department could stand by.
    """

    cost: int
    recipient: Account
    overall: Account
    earlier: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Begun:
    """Rows that wait to be fetched, and the proof that the question was logged and charged."""

    rows: int
    charged: int
    recipient: Account
    overall: Account
    logged: Logged


@dataclass(frozen=True, slots=True)
class Repeated:
    """The proof that this department stands by an earlier answer; `answer` is what it kept."""

    recipient: Account
    overall: Account
    logged: Logged
    answer: bytes


class Linking:
    """The use case of one department. Everything that acts is passed in."""

    def __init__(
        self,
        guard: Guard,
        ledger: Ledger,
        tables: Tables[Engine],
        recorder: Recorder,
        peers: Peers,
        underways: Underways,
        making: Making,
    ) -> None:
        self._guard = guard
        self._ledger = ledger
        self._tables = tables
        self._recorder = recorder
        self._peers = peers
        self._underways = underways
        self._making = making

    def weigh(self, asked: Asked, *, trace_id: str) -> Weighed:
        """Refuses as `begin` would, apart from the budget; charges nothing."""
        with self._recorder.request("explain", trace_id=trace_id) as draft:
            organisation, plan = self._permitted(asked, draft)
            self._underways.require_room(organisation)
            side = plan.side(self._guard.department)
            with self._tables.open() as (_, tables):
                loaded = self._loaded(asked, side, tables, draft)
            memory = _memory(asked, plan, organisation, loaded)
            earlier = self._ledger.earlier(memory, MOST_EARLIER)
            if side is plan.sides[0]:  # it keeps the answers; an asking that failed has none
                earlier = tuple(each for each in earlier if self._ledger.kept(each))
            accounts = self._ledger.accounts(side.contract, organisation)
            draft.answered(b"")
            return Weighed(_cost(plan, side), *accounts, earlier)

    def repeat(self, asked: Asked, earlier: bytes, *, trace_id: str) -> Repeated:
        """Stands by the answer of an earlier asking, and charges nothing.

        Raises ROUND_FORGOTTEN where that was not the same question over the same data for the same
        recipient.
        """
        with self._recorder.request("query", trace_id=trace_id) as draft:
            organisation, plan = self._permitted(asked, draft)  # (6)
            side = plan.side(self._guard.department)
            with self._tables.open() as (_, tables):
                loaded = self._loaded(asked, side, tables, draft)
            draft.note(data_version=loaded.version)
            memory = _memory(asked, plan, organisation, loaded)
            if earlier not in self._ledger.earlier(memory, MOST_EARLIER):
                raise error("ROUND_FORGOTTEN", missing=(self._guard.department,))
            accounts = self._ledger.accounts(side.contract, organisation)
            _note_accounts(draft, 0, accounts)
            draft.note(remembered=True)
            logged = draft.answered(asked.question_hash)  # (10)
            return Repeated(*accounts, logged, self._ledger.kept(earlier) or b"")

    def keep(self, question_hash: bytes, answer: bytes) -> None:
        """Keeps the answer for the gateway, which alone can open it; once for a question."""
        if not 0 < len(answer) <= MOST_KEPT:
            raise error("INVALID_ARGUMENT", "An answer to keep is too long, or empty.")
        if not self._ledger.keep(question_hash, answer):
            raise lost()

    def open(
        self, asked: Asked, *, time_left: Callable[[], float], trace_id: str
    ) -> dict[str, Envelope]:
        """Draws the question's secret, and seals it to every other department.

        Only the first department does, once for a question id; no data is read for it.
        """
        with self._recorder.request("explain", trace_id=trace_id) as draft:
            organisation, plan = self._permitted(asked, draft)
            if plan.sides[0].department != self._guard.department:
                raise error("INVALID_ARGUMENT", "The first department opens a linked question.")
            secret = secrets.token_bytes(SECRET_BYTES)
            info = b"link" + asked.question_hash
            sealed = {
                side.department: self._peers.seal(secret, info, side.department)
                for side in plan.sides[1:]
            }
            self._put(asked, plan, secret, organisation, time_left())
            draft.answered(asked.question_hash)
            return sealed

    def begin(
        self,
        asked: Asked,
        envelope: Envelope | None,
        *,
        time_left: Callable[[], float],
        trace_id: str,
    ) -> Begun:
        """Charges, then makes the rows."""
        with self._recorder.request("query", trace_id=trace_id) as draft:
            organisation, plan = self._permitted(asked, draft)  # (6)
            if envelope is not None:
                first = plan.sides[0].department
                secret = self._peers.secret(envelope, b"link" + asked.question_hash, first)
                self._put(asked, plan, secret, organisation, time_left())
            with self._underways.at(asked.asking.question_id, asked.question_hash) as underway:
                charged, rows = self._make(asked, underway, organisation, draft, time_left)
                accounts = self._ledger.accounts(underway.side.contract, organisation)
                _note_accounts(draft, charged, accounts)
                logged = draft.answered(asked.question_hash)  # (10)
                # Rows without dummies say who is there; they are told once all keys were shown.
                told = 0 if self._guard.department in underway.plan.hiders else rows.count
                return Begun(told, charged, *accounts, logged)

    def _permitted(self, asked: Asked, draft: Draft) -> tuple[str, LinkPlan]:
        caller, plan = self._guard.linked(asked.asking, asked.question, draft)
        for side in plan.sides:
            if side.contract.id not in self._peers.member(side.department).contracts:
                raise error(
                    "INVALID_ARGUMENT",
                    "A table of the question is not the member's it is said to be.",
                )
        return caller.organisation, plan

    def _put(
        self, asked: Asked, plan: LinkPlan, secret: bytes, organisation: str, seconds: float
    ) -> None:
        side = plan.side(self._guard.department)
        # A permutation that nobody else can guess: sorted by random keys.
        keys = np.frombuffer(secrets.token_bytes(16 * side.codes), dtype=f"S{BLOCK}")
        codes = np.argsort(keys, kind="stable").astype(np.uint32)
        until = self._underways.until(seconds)
        underway = Underway(asked.question_hash, plan, side, secret, until, codes, organisation)
        self._underways.put(asked.asking.question_id, underway)

    def _make(
        self,
        asked: Asked,
        underway: Underway,
        organisation: str,
        draft: Draft,
        time_left: Callable[[], float],
    ) -> tuple[int, SortedRows]:
        """What was charged, and after that the rows."""
        side = underway.side
        if underway.rows is not None:
            raise lost()
        with self._tables.open() as (engine, tables):
            loaded = self._loaded(asked, side, tables, draft)
            draft.note(data_version=loaded.version)
            require_time(time_left)
            # (7) Also at a price of 0: its own dummies protect others, so one id is one draw.
            charged = self._reserve(asked, underway.plan, side, organisation, loaded)
            draft.note(charged_micro_rho=charged)
            underway.rows = self._making.rows(underway, engine, loaded, time_left)  # (8)
            return charged, underway.rows

    def _reserve(
        self, asked: Asked, plan: LinkPlan, side: SidePlan, organisation: str, loaded: Loaded
    ) -> int:
        """Charges for good: whatever becomes of the question, others may have seen its rows.

        Raises LINK_LOST where this very question was charged before: what it drew is gone.
        """
        reserved = self._ledger.reserve(
            asked.asking.question_id,
            asked.question_hash,
            side.contract,
            organisation,
            _cost(plan, side),
        )
        if isinstance(reserved, Remembered):
            raise lost()
        self._ledger.finish(reserved, b"", _memory(asked, plan, organisation, loaded))
        return reserved.micro_rho

    def _loaded(
        self, asked: Asked, side: SidePlan, tables: Mapping[str, Loaded], draft: Draft
    ) -> Loaded:
        loaded = tables.get(side.contract.id)
        if loaded is None or not fits(loaded, side.contract):
            raise error(
                "DEPARTMENT_MISSING",
                f"Department {side.department} has not loaded {side.contract.id} yet.",
                missing=(side.department,),
            )
        require_day(self._guard.department, side.contract, tables, asked.asking.as_of, draft)
        return loaded


def _note_accounts(draft: Draft, charged: int, accounts: tuple[Account, Account]) -> None:
    recipient, overall = accounts
    draft.note(
        charged_micro_rho=charged,
        budget={
            "recipient_spent": recipient.spent,
            "recipient_limit": recipient.limit,
            "overall_spent": overall.spent,
            "overall_limit": overall.limit,
        },
    )


def _memory(asked: Asked, plan: LinkPlan, organisation: str, loaded: Loaded) -> bytes:
    """What makes two askings the same: question, accuracy, data here, everybody's terms, recipient.

    Every department vouches for its own data, so that all together vouch for the answer.
    """
    parts = (
        "linked",
        words(asked.question),
        repr(plan.release.epsilon),
        loaded.version,
        plan.contract.digest,
        organisation,
    )
    return sha256("\0".join(parts).encode()).digest()


def _cost(plan: LinkPlan, side: SidePlan) -> int:
    free = side.contract.disclosure.method is Method.UNPROTECTED
    return 0 if free else plan.release.cost_micro_rho
