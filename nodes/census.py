"""This department's part in verifying reports: takes shares, and finds with the other which count.

No step here lets anything of a value out. What the owner tells the second and the second the owner
travels sealed and signed through the gateway; each writes what came of a report once, so that a
step that is lost, repeated or put out of order changes nothing (draft-irtf-cfrg-vdaf-18, section
5.7.1: the owner begins, the second ends).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from landbridge.census.task import ID_BYTES, OWNER, SECOND
from landbridge.edge.record import Logged, Recorder
from landbridge.edge.turns import Turns
from landbridge.errors import error
from landbridge.protocols.envelope import Envelope, open_unsigned
from landbridge.protocols.prio3.aggregation import Report, Waiting
from landbridge.v1 import census_pb2
from nodes.census_side import Side, Sides
from nodes.census_store import Arrived, CensusStore, Held, Settled
from nodes.guard import Asking, Guard

MOST_HANDED_IN: Final = 500
"""Reports in one request."""
MOST_VERIFIED: Final = 1_000
"""Reports in one round."""
MOST_ELEMENTS: Final = 100_000
"""Field elements in one round, each an object of Python's where there are many buckets."""
MISSING: Final = "MISSING_REPORT"


@dataclass(frozen=True, slots=True)
class Sent:
    """A report as it arrived: the share is sealed to this department."""

    id: bytes
    public: bytes
    sealed: bytes


@dataclass(frozen=True, slots=True)
class Taken:
    """Why each report was not kept, empty for one that is on disk now."""

    reasons: list[str]
    logged: Logged


class Census:
    """The use case of one department. Everything that acts is passed in."""

    def __init__(self, guard: Guard, sides: Sides, store: CensusStore, recorder: Recorder) -> None:
        self._guard = guard
        self._sides = sides
        self._store = store
        self._recorder = recorder
        self._turns = Turns()

    def terms(
        self, asking: Asking, contract: str, column: str, *, trace_id: str
    ) -> tuple[census_pb2.CensusTerms, bytes]:
        """The terms, and this department's signature under them."""
        with self._recorder.request("explain", trace_id=trace_id) as draft:
            _, found = self._guard.contribution(asking, contract, draft)
            side = self._sides.of(found, column)
            signature = self._sides.keys.signing.sign(side.task.statement)
            draft.answered(side.task.digest)
            return side.task.terms, signature

    def take(
        self, asking: Asking, contract: str, column: str, sent: Sequence[Sent], *, trace_id: str
    ) -> Taken:
        """Keeps the shares; one that cannot be read or kept takes no other with it."""
        with self._recorder.request("submit", trace_id=trace_id) as draft:
            caller, found = self._guard.contribution(asking, contract, draft)
            side = self._sides.of(found, column)
            if not 0 < len(sent) <= MOST_HANDED_IN:
                raise error(
                    "INVALID_ARGUMENT", f"One request hands in from 1 to {MOST_HANDED_IN} reports."
                )
            opened = [self._opened(side, each) for each in sent]
            # For ever the same, unlike the digests that stand in the log.
            who = self._recorder.digest("caller", f"{caller.organisation}\0{caller.subject}")
            kept = iter(
                self._store.keep(
                    side.task.digest,
                    who,
                    side.measurement.each,
                    [each for each in opened if each is not None],
                )
            )
            reasons = ["REPORT_UNREADABLE" if each is None else next(kept) for each in opened]
            draft.note(records=reasons.count(""), note=_counted(reasons))
            return Taken(reasons, draft.answered("\n".join(reasons).encode()))

    def offer(
        self, asking: Asking, contract: str, column: str, after: int
    ) -> tuple[Envelope | None, int]:
        """At the owner: its part of the next reports' proofs, and the number of the last of them.

        None where no report waits after number `after`.
        """
        side = self._side(asking, contract, column, OWNER)
        task = side.task
        key, keys = self._sides.verify_key(side)
        with self._turns.turn(task.digest):
            most = min(MOST_VERIFIED, max(1, MOST_ELEMENTS // task.prio3.elements))
            rows = self._store.waiting(task.digest, after, most)
            if not rows:
                return None, after
            shares = {row.id: row.share for row in rows if row.share and row.keys == keys}
            fresh = [row for row in rows if row.id not in shares]
            begun = task.prio3.verify_init(key, OWNER, [_report(row) for row in fresh])
            kept, bad = [], []
            for row, one in zip(fresh, begun, strict=True):
                if one is None:
                    bad.append(Settled(row.id, b"", "REPORT_INVALID"))
                    continue
                kept.append((row.id, one.waiting.out, one.waiting.seed, one.share))
                shares[row.id] = one.share
            self._store.began(task.digest, keys, kept)
            self._store.settle(task.digest, bad)
        offered = census_pb2.TallyOffered(
            keys_digest=keys,
            shares=[
                census_pb2.TallyShare(id=row.id, share=shares[row.id])
                for row in rows
                if row.id in shares
            ],
        )
        return self._sides.seal(side, "offered", offered), rows[-1].number

    def check(self, asking: Asking, contract: str, column: str, envelope: Envelope) -> Envelope:
        """At the second: which of them are valid, by both departments' parts together."""
        side = self._side(asking, contract, column, SECOND)
        task = side.task
        offered = self._sides.open(side, "offered", envelope, census_pb2.TallyOffered)
        key, keys = self._sides.verify_key(side)
        self._sides.require_keys(offered.keys_digest, keys)
        theirs = {bytes(each.id): bytes(each.share) for each in offered.shares}
        if len(theirs) > MOST_VERIFIED:
            raise error("ANSWER_REJECTED", "A round verifies fewer reports than these.")
        with self._turns.turn(task.digest):
            known = self._store.held(task.digest, list(theirs))
            new = [row for row in known.values() if row.state == "new"]
            self._store.settle(task.digest, self._checked(side, key, new, theirs))
            known = self._store.held(task.digest, list(theirs))
        verdicts = [
            census_pb2.TallyVerdict(
                id=each,
                reason=known[each].reason if each in known else MISSING,
                message=known[each].message if each in known else b"",
            )
            for each in theirs
        ]
        return self._sides.seal(side, "checked", census_pb2.TallyChecked(verdicts=verdicts))

    def settle(self, asking: Asking, contract: str, column: str, envelope: Envelope) -> None:
        """At the owner: takes in what the second said; the joint randomness must be its own too."""
        side = self._side(asking, contract, column, OWNER)
        task = side.task
        checked = self._sides.open(side, "checked", envelope, census_pb2.TallyChecked)
        verdicts = {bytes(each.id): each for each in checked.verdicts if each.reason != MISSING}
        with self._turns.turn(task.digest):
            known = self._store.held(task.digest, list(verdicts))
            settled = [
                self._settled(side, row, verdicts[row.id])
                for row in known.values()
                if row.state == "new" and row.share
            ]
            self._store.settle(task.digest, settled)

    def _side(self, asking: Asking, contract: str, column: str, number: int) -> Side:
        """For a caller who may have the total: it is for them that reports are verified."""
        with self._recorder.check("query") as draft:
            _, found = self._guard.measurement(asking, contract, column, draft)
            side = self._sides.of(found, column)
            side.require(number)
            return side

    def _opened(self, side: Side, sent: Sent) -> Arrived | None:
        if len(sent.id) != ID_BYTES:
            return None
        info = side.task.share_info(sent.id, sent.public, side.number)
        try:
            share = open_unsigned(sent.sealed, info, self._sides.keys.opening)
        except ValueError:
            return None
        return Arrived(sent.id, sent.public, share)

    @staticmethod
    def _checked(
        side: Side, key: bytes, new: Sequence[Held], theirs: Mapping[bytes, bytes]
    ) -> list[Settled]:
        prio3 = side.task.prio3
        begun = prio3.verify_init(key, SECOND, [_report(row) for row in new])
        messages = prio3.verifier_shares_to_messages(
            [[theirs[row.id] for row in new], [one.share if one else None for one in begun]]
        )
        found = []
        for row, one, message in zip(new, begun, messages, strict=True):
            if one is None or message is None:
                found.append(Settled(row.id, b"", "REPORT_INVALID"))
                continue
            try:
                out = prio3.verify_next(one.waiting, message)
            except ValueError:
                found.append(Settled(row.id, b"", "REPORT_INVALID"))
            else:
                found.append(Settled(row.id, out, "", message))
        return found

    @staticmethod
    def _settled(side: Side, row: Held, verdict: census_pb2.TallyVerdict) -> Settled:
        if verdict.reason:
            return Settled(row.id, b"", "REPORT_INVALID")
        try:
            out = side.task.prio3.verify_next(Waiting(row.out, row.seed), verdict.message)
        except ValueError:
            return Settled(row.id, b"", "REPORT_INVALID")
        return Settled(row.id, out, "")


def _report(row: Held) -> Report:
    return Report(row.id, row.public, row.input)


def _counted(reasons: Sequence[str]) -> str:
    """How many were not kept, by reason; nothing of their contents."""
    words = sorted({reason for reason in reasons if reason})
    return "; ".join(f"{reasons.count(word)} {word}" for word in words)
