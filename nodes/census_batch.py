"""This department's part in collecting a batch: charges, adds up, adds noise. (6) to (10).

The owner names the reports, the second gives its share for exactly these, once. Both charge their
own ledger before the sum is made and keep what they gave, so that a batch which was interrupted
anywhere is finished by asking again: the same shares, charged once. The next batch begins when the
owner has the second's word that this one is over.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from landbridge.census.task import ID_BYTES, OWNER, SECOND
from landbridge.edge.record import Draft, Logged, Recorder
from landbridge.edge.turns import Turns
from landbridge.errors import LandbridgeError, error
from landbridge.membership.canonical import parts
from landbridge.protocols.envelope import Envelope
from landbridge.v1 import census_pb2
from nodes.census_share import Summed, kept, summed
from nodes.census_side import Side, Sides
from nodes.census_store import Batch, CensusStore
from nodes.guard import Asking, Guard
from nodes.ledger import Account, Ledger, Remembered
from policies.measurement import MOST_REPORTS, MeasurementPlan
from policies.noise import Draw

_QUESTION_ID: Final = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Given:
    """This department's share of a total, and the message for the other department."""

    batch: str
    summed: Summed
    message: Envelope
    reports: int
    refused: int
    charged: int
    recipient: Account
    overall: Account
    logged: Logged


class CensusBatches:
    """The use case of one department. Everything that acts is passed in."""

    def __init__(
        self,
        guard: Guard,
        sides: Sides,
        store: CensusStore,
        ledger: Ledger,
        recorder: Recorder,
        draw: Draw,
    ) -> None:
        self._guard = guard
        self._sides = sides
        self._store = store
        self._ledger = ledger
        self._recorder = recorder
        self._draw = draw
        self._turns = Turns()

    def close(
        self, asking: Asking, contract: str, column: str, micro_epsilon: int, *, trace_id: str
    ) -> Given:
        """At the owner: its noisy share of the next batch, or of the one that is not over."""
        with self._recorder.request("query", trace_id=trace_id) as draft:
            side, recipient = self._side(asking, contract, column, OWNER, draft)  # (6)
            plan, task = side.plan(micro_epsilon), side.task.digest
            with self._turns.turn(task):
                batch = self._store.close_batch(
                    task,
                    asking.question_id,
                    recipient,
                    micro_epsilon,
                    side.measurement.minimum,
                    MOST_REPORTS,
                )
                share, charged = self._share(side, plan, batch, recipient, asking.question_id)
                closed = census_pb2.TallyClosed(batch=batch.id, ids=self._store.ids(task, batch.id))
            message = self._sides.seal(side, "closed", closed)
            return self._given(side, batch, share, message, charged, recipient, draft)

    def total(
        self,
        asking: Asking,
        contract: str,
        column: str,
        micro_epsilon: int,
        envelope: Envelope,
        *,
        trace_id: str,
    ) -> Given:
        """At the second: its noisy share of the very same reports."""
        with self._recorder.request("query", trace_id=trace_id) as draft:
            side, recipient = self._side(asking, contract, column, SECOND, draft)  # (6)
            plan, task = side.plan(micro_epsilon), side.task.digest
            closed = self._sides.open(side, "closed", envelope, census_pb2.TallyClosed)
            if not _QUESTION_ID.fullmatch(closed.batch) or len(closed.ids) % ID_BYTES:
                raise error("ANSWER_REJECTED", "A sealed message names no batch.")
            with self._turns.turn(task):
                batch = self._store.take_batch(
                    task,
                    closed.batch,
                    recipient,
                    micro_epsilon,
                    side.measurement.minimum,
                    bytes(closed.ids),
                )
                share, charged = self._share(side, plan, batch, recipient, asking.question_id)
                self._store.over(task, batch.id)  # what it gave is in the ledger
            message = self._sides.seal(side, "done", census_pb2.TallyDone(batch=batch.id))
            return self._given(side, batch, share, message, charged, recipient, draft)

    def confirm(self, asking: Asking, contract: str, column: str, envelope: Envelope) -> None:
        """At the owner: the second has given its share, and the next batch may begin."""
        with self._recorder.check("query") as draft:
            side, _ = self._side(asking, contract, column, OWNER, draft)
            done = self._sides.open(side, "done", envelope, census_pb2.TallyDone)
            self._store.over(side.task.digest, done.batch)

    def _side(
        self, asking: Asking, contract: str, column: str, number: int, draft: Draft
    ) -> tuple[Side, str]:
        caller, found = self._guard.measurement(asking, contract, column, draft)
        side = self._sides.of(found, column)
        side.require(number)
        words = f"total of {contract}.{column}, by two servers"
        draft.note(
            members=sorted(side.measurement.departments),
            question=words,
            question_hash=draft.recorder.digest("question", words),
        )
        return side, caller.organisation

    def _share(
        self, side: Side, plan: MeasurementPlan, batch: Batch, recipient: str, question: str
    ) -> tuple[Summed, int]:
        """The share to give, and what was charged now."""
        task = side.task.digest
        key = sha256(
            parts((b"census", task, batch.id.encode(), recipient.encode(), bytes((side.number,))))
        ).digest()
        try:
            reserved = self._ledger.reserve(  # (7)
                batch.charge, key, side.contract, recipient, plan.cost_micro_rho
            )
        except LandbridgeError as refusal:
            if refusal.reason != "QUESTION_ID_REUSED" or batch.fresh or batch.charge == question:
                if batch.fresh:
                    self._store.reopen(task, batch.id)
                raise
            # A crash came between charge and share: that draw was told to nobody, its charge
            # stands, and this one is charged under the present question.
            self._store.charged_as(task, batch.id, question)
            reserved = self._ledger.reserve(
                question, key, side.contract, recipient, plan.cost_micro_rho
            )
        if isinstance(reserved, Remembered):
            return kept(reserved.release), 0
        found = summed(  # (8), (9)
            plan, side.task.prio3, self._store.parts(task, batch.id), self._draw
        )
        self._ledger.finish(reserved, found.share)
        return found, reserved.micro_rho

    def _given(
        self,
        side: Side,
        batch: Batch,
        share: Summed,
        message: Envelope,
        charged: int,
        recipient: str,
        draft: Draft,
    ) -> Given:
        accounts = self._ledger.accounts(side.contract, recipient)
        ours, overall = accounts
        draft.note(
            charged_micro_rho=charged,
            remembered=not charged,
            note=f"batch {batch.id} of {batch.reports} reports; {batch.refused} were refused",
            budget={
                "recipient_spent": ours.spent,
                "recipient_limit": ours.limit,
                "overall_spent": overall.spent,
                "overall_limit": overall.limit,
            },
        )
        logged = draft.answered(batch.id.encode() + share.share)  # (10)
        return Given(
            batch.id, share, message, batch.reports, batch.refused, charged, ours, overall, logged
        )
