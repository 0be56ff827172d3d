"""This department's part in a pooled question: steps (6) to (10), with a masked vector as answer.

One question hash never masks two vectors. A round that draws is charged under its question id, and
the ledger takes an id once: what it then keeps under the round's hash is what every later asking
of that round gets. A round that repeats another sends that one's vector under a hash that binds it,
so the masks of the others cancel only if they repeat it too, and the total is the same to the last
digit. Never are kept vectors mixed with fresh ones: the difference of two totals would be one
department's part with one share of noise on it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256

from landbridge.edge.record import Draft, Logged, Recorder
from landbridge.edge.turns import Turns
from landbridge.errors import error
from landbridge.protocols.agreement import Round
from nodes.answering import Estimated, memory_key
from nodes.cells import Run, data_version, require_day
from nodes.circle import Circle, Circles
from nodes.convert import masked_to
from nodes.engines.engine import Engine
from nodes.guard import Asking, Guard
from nodes.ledger import Account, Ledger, Remembered, Reservation
from nodes.share import Masked, Share, kept, mask, share
from nodes.tables import Tables
from policies.noise import Draw
from policies.pooling import PoolingPlan, plan_pooling
from policies.question import Question

MOST_EARLIER = 8
"""Rounds of the same question that are named for a repetition."""


@dataclass(frozen=True, slots=True)
class PoolQuestion:
    """What is asked of this department. `wire` are the canonical bytes of the question.

    `repeats` is the hash of the round to send again; `anew` draws even where one could be.
    """

    asking: Asking
    question: Question
    wire: bytes
    micro_epsilon: int
    members: Sequence[str]
    keys_digest: bytes
    repeats: bytes = b""
    anew: bool = False


@dataclass(frozen=True, slots=True)
class Pooled:
    """What the node replies: a masked vector, or which rounds it could repeat instead."""

    question_hash: bytes
    masked: Masked | None
    earlier: tuple[bytes, ...]
    remembered: bool
    charged: int
    recipient: Account
    overall: Account
    logged: Logged


@dataclass(frozen=True, slots=True)
class _Turn:
    """What one asking is about."""

    pool: PoolQuestion
    run: Run
    plan: PoolingPlan
    recipient: str
    round_hash: bytes
    memory: bytes
    draft: Draft


class Pooling:
    """The use case of one department. Everything that acts is passed in."""

    def __init__(
        self,
        guard: Guard,
        circles: Circles,
        ledger: Ledger,
        tables: Tables[Engine],
        recorder: Recorder,
        draw: Draw,
    ) -> None:
        self._guard = guard
        self._circles = circles
        self._ledger = ledger
        self._tables = tables
        self._recorder = recorder
        self._draw = draw
        self._turns = Turns()

    def pool(self, pool: PoolQuestion, *, time_left: Callable[[], float], trace_id: str) -> Pooled:
        """Masks noisy cells or raises a refusal; either is in the log before this returns."""
        with self._recorder.request("query", trace_id=trace_id) as draft:
            permission = self._guard.question(  # (6)
                pool.asking, pool.question, pool.members, draft
            )
            contract, recipient = permission.contract, permission.caller.organisation
            plan = plan_pooling(pool.question, contract, pool.micro_epsilon, len(pool.members))
            circle = self._circles.of(contract, pool.members, pool.keys_digest)
            with self._tables.open() as (engine, tables):
                version = data_version(self._guard.department, contract, tables)
                draft.note(data_version=version)
                require_day(self._guard.department, contract, tables, pool.asking.as_of, draft)
                turn = _Turn(
                    pool,
                    Run(engine, contract, plan.release, version, time_left),
                    plan,
                    recipient,
                    _round(pool, circle, recipient, contract.digest).hash,
                    _memory(memory_key(plan.release, permission, version), circle),
                    draft,
                )
                # Twice at once is one draw; under one hash too when the data changes in between.
                with self._turns.turn(turn.memory), self._turns.turn(turn.round_hash):
                    own, earlier, charged = self._own(turn)
            accounts = self._ledger.accounts(contract, recipient)
            hidden = None
            if own is not None:
                hidden = mask(  # (9)
                    own,
                    self._guard.department,
                    self._circles.exchanges,
                    circle.keys,
                    turn.round_hash,
                )
            logged = self._log(draft, turn, hidden, charged, accounts)  # (10)
            return Pooled(turn.round_hash, hidden, earlier, not charged, charged, *accounts, logged)

    def estimate(self, pool: PoolQuestion, *, trace_id: str) -> Estimated:
        """What `pool` would cost and how accurate the total would be; refuses as `pool` would."""
        with self._recorder.request("explain", trace_id=trace_id) as draft:
            permission = self._guard.question(pool.asking, pool.question, pool.members, draft)
            contract = permission.contract
            plan = plan_pooling(pool.question, contract, pool.micro_epsilon, len(pool.members))
            self._circles.of(contract, pool.members, pool.keys_digest)
            accounts = self._ledger.accounts(contract, permission.caller.organisation)
            draft.answered(b"")
            return Estimated(plan.release, *accounts)

    def _own(self, turn: _Turn) -> tuple[Share | None, tuple[bytes, ...], int]:
        """The vector to send or the rounds that could be repeated, and what was charged now."""
        pool, plan = turn.pool, turn.plan
        if pool.repeats:
            if pool.repeats not in self._ledger.earlier(turn.memory, MOST_EARLIER):
                raise error("ROUND_FORGOTTEN", missing=(self._guard.department,))
            return kept(plan, self._kept(pool.repeats)), (), 0
        if not pool.anew and self._ledger.kept(turn.round_hash) is None:
            earlier = self._ledger.earlier(turn.memory, MOST_EARLIER)
            if earlier:
                return None, earlier, 0
        reserved = self._ledger.reserve(  # (7)
            pool.asking.question_id,
            turn.round_hash,
            turn.run.contract,
            turn.recipient,
            plan.release.cost_micro_rho,
            again=True,  # no vector leaves before `finish`, so one that was lost was never seen
        )
        if isinstance(reserved, Remembered):
            return kept(plan, reserved.release), (), 0
        return self._drawn(turn, reserved), (), reserved.micro_rho

    def _drawn(self, turn: _Turn, reserved: Reservation) -> Share:
        if turn.run.too_late:
            if not reserved.again:
                self._ledger.give_back(reserved)  # no data was read
            raise error("DEADLINE")
        turn.draft.note(charged_micro_rho=reserved.micro_rho)
        cells, histograms = turn.run.cells(turn.plan.release)  # (8)
        own = share(turn.plan, cells, self._draw, histograms)  # (9)
        self._ledger.finish(reserved, own.to_keep(), turn.memory)
        return own

    def _kept(self, round_hash: bytes) -> bytes:
        found = self._ledger.kept(round_hash)
        if found is None:
            raise error("FAULT")  # a round is written together with what it sent
        return found

    @staticmethod
    def _log(
        draft: Draft,
        turn: _Turn,
        hidden: Masked | None,
        charged: int,
        accounts: tuple[Account, Account],
    ) -> Logged:
        recipient, overall = accounts
        draft.note(
            charged_micro_rho=charged,
            remembered=not charged,
            # Not the round's hash: who reads the log could try literals against it.
            note=f"pooled over {turn.plan.members} departments"
            + ("" if hidden else "; an earlier round could be repeated"),
            budget={
                "recipient_spent": recipient.spent,
                "recipient_limit": recipient.limit,
                "overall_spent": overall.spent,
                "overall_limit": overall.limit,
            },
        )
        sent = b"" if hidden is None else masked_to(hidden)
        return draft.answered(turn.round_hash + sent)


def _round(pool: PoolQuestion, circle: Circle, recipient: str, terms: str) -> Round:
    return Round(
        pool.wire,
        pool.asking.question_id,
        pool.micro_epsilon,
        recipient,
        terms,
        circle.members,
        circle.digest,
        pool.repeats,
    )


def _memory(question: bytes, circle: Circle) -> bytes:
    """What makes two rounds the same: question, accuracy, data, terms, recipient, and members."""
    return sha256(question + circle.digest).digest()
