"""A linked question at one department, round by round: steps (6) to (10).

What each round lets out, and to whom, is in docs/linked.md. The entry in the log and the charge are
on disk before any data is read; every later round belongs to them by the question's hash.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from landbridge.edge.record import Draft, Logged, Recorder
from landbridge.errors import error
from landbridge.membership.keys import MemberKeys
from landbridge.membership.manifest import Manifest, MemberEntry
from landbridge.protocols.dealing import Dealer, Owner, per_code_of_all
from landbridge.protocols.dummies import counts
from landbridge.protocols.envelope import Envelope, open_, seal
from landbridge.protocols.pseudonyms import BLOCK, Blocks, matched, pseudonyms
from landbridge.protocols.streams import SECRET_BYTES, Words, derived
from nodes.engines.engine import Engine
from nodes.guard import Asking, Guard
from nodes.ledger import Account, Ledger, Remembered, Reservation
from nodes.link_compile import ROWS, compile_rows
from nodes.link_dummies import Counts, dummy_rows
from nodes.link_rows import Batch, RowSorter, RowWriter, SortedRows
from nodes.link_state import Dealing, Underway, Underways, lost
from nodes.shape import fits
from nodes.store import Loaded
from nodes.tables import Tables
from policies.contract import Method
from policies.link_plan import LinkPlan, SidePlan
from policies.linked import LinkedQuestion
from policies.noise import Draw

MARGIN = 0.25
"""Seconds kept back from the deadline for the log and the way back."""
MESSAGE_BYTES = 2 << 20
MOST_ROWS = 1 << 31
"""Of numbers in one message, about."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A linked question as it arrived: who asks, what, and the hash of it that this node made."""

    asking: Asking
    question: LinkedQuestion
    question_hash: bytes


@dataclass(frozen=True, slots=True)
class Weighed:
    """What taking part would cost here; no data was touched."""

    cost: int
    recipient: Account
    overall: Account


@dataclass(frozen=True, slots=True)
class Begun:
    """Rows that wait to be fetched, and the proof that the question was logged and charged."""

    rows: int
    charged: int
    recipient: Account
    overall: Account
    logged: Logged


class Linking:
    """The use case of one department. Everything that acts is passed in.

    `count` makes the numbers of dummies, `folder` is where rows wait in files without a name.
    """

    def __init__(
        self,
        guard: Guard,
        ledger: Ledger,
        tables: Tables[Engine],
        recorder: Recorder,
        draw: Draw,
        keys: MemberKeys,
        manifest: Callable[[], Manifest],
        underways: Underways,
        folder: Path,
        count: Counts = counts,
    ) -> None:
        self._guard = guard
        self._ledger = ledger
        self._tables = tables
        self._recorder = recorder
        self._draw = draw
        self._keys = keys
        self._manifest = manifest
        self._underways = underways
        self._folder = folder
        self._count = count

    def weigh(self, asked: Asked, *, trace_id: str) -> Weighed:
        """Refuses as `begin` would, apart from the budget; charges nothing."""
        with self._recorder.request("explain", trace_id=trace_id) as draft:
            organisation, plan = self._permitted(asked, draft)
            side = plan.side(self._guard.department)
            accounts = self._ledger.accounts(side.contract, organisation)
            draft.answered(b"")
            return Weighed(_cost(plan, side), *accounts)

    def open(self, asked: Asked, *, trace_id: str) -> dict[str, Envelope]:
        """Draws the question's secret, and seals it to every other department.

        Only the first department does, once for a question id; no data is read for it.
        """
        with self._recorder.request("explain", trace_id=trace_id) as draft:
            _, plan = self._permitted(asked, draft)
            if plan.sides[0].department != self._guard.department:
                raise error("INVALID_ARGUMENT", "The first department opens a linked question.")
            secret = secrets.token_bytes(SECRET_BYTES)
            sealed = {
                side.department: seal(
                    secret,
                    b"link" + asked.question_hash,
                    self._member(side.department).keys.sealing,
                    self._keys.signing,
                )
                for side in plan.sides[1:]
            }
            self._underways.put(asked.asking.question_id, self._underway(asked, plan, secret))
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
            question_id = asked.asking.question_id
            if envelope is not None:
                first = plan.sides[0].department
                secret = self._opened(envelope, b"link" + asked.question_hash, first)
                self._underways.put(question_id, self._underway(asked, plan, secret))
            with self._underways.at(question_id, asked.question_hash) as underway:
                charged, rows = self._make(asked, underway, organisation, draft, time_left)
                side = underway.side
                accounts = self._ledger.accounts(side.contract, organisation)
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
                logged = draft.answered(asked.question_hash)  # (10)
                # Rows without dummies say who is there; they are told once all keys were shown.
                told = 0 if underway.plan.hider == self._guard.department else rows.count
                return Begun(told, charged, *accounts, logged)

    def show(self, question_id: str, question_hash: bytes, first: int) -> tuple[Envelope, int]:
        """The next keys of a table that protects nobody, sealed to the one that must hide its own.

        They are pseudonyms, which that department can turn back; the gateway cannot read them.
        """
        with self._underways.at(question_id, question_hash) as underway:
            plan, rows = underway.plan, underway.rows
            if plan.shower != self._guard.department or rows is None or first != underway.shown:
                raise lost()
            if first >= rows.count:
                raise lost()
            batch = rows.read(first, MESSAGE_BYTES // BLOCK)
            underway.shown += len(batch.codes)
            sealed = seal(
                batch.pseudonyms.tobytes(),
                _info_of_keys(question_hash, first),
                self._member(plan.hider).keys.sealing,
                self._keys.signing,
            )
            return sealed, len(batch.codes)

    def match(
        self,
        question_id: str,
        question_hash: bytes,
        first: int,
        envelope: Envelope | None,
        *,
        last: bool,
    ) -> int:
        """Makes one row for each key shown, its values 0 where this department has none.

        `envelope` is None where the other table has no keys at all.
        """
        with self._underways.at(question_id, question_hash) as underway:
            plan, side, rows = underway.plan, underway.side, underway.rows
            if plan.hider != self._guard.department or rows is None or underway.matched:
                raise lost()
            if underway.matching is None:
                underway.matching = RowWriter(self._folder, side.vectors)
            if first != underway.matching.count:
                raise lost()
            if envelope is not None:
                keys = self._open(envelope, _info_of_keys(question_hash, first), plan.shower)
                self._match(underway, rows, underway.matching, keys)
            if last:
                underway.matched = True
                underway.rows, underway.matching = underway.matching.finished(), None
                rows.close()
                return underway.rows.count
            return underway.matching.count if underway.matching is not None else 0

    def _match(self, underway: Underway, rows: SortedRows, into: RowWriter, content: bytes) -> None:
        if len(content) % BLOCK or not content:
            raise error("ANSWER_REJECTED", "A sealed message holds no keys.")
        keys = np.frombuffer(content, dtype=np.uint8).reshape(-1, BLOCK)
        values = np.zeros((len(keys), underway.side.vectors), dtype=np.int64)
        final = keys[-1].tobytes()
        while underway.own < rows.count:
            batch = rows.read(underway.own, ROWS)
            try:
                theirs, ours = matched(keys, batch.pseudonyms)
            except ValueError:
                raise error("ANSWER_REJECTED", "A sealed message holds no keys.") from None
            values[theirs] = batch.values[ours]
            if batch.pseudonyms[-1].tobytes() > final:
                passed = (_numbers(batch.pseudonyms) <= _numbers(keys[-1:])[0]).sum()
                underway.own += int(passed)
                break
            underway.own += len(batch.codes)
        into.add(Batch(keys, np.zeros(len(keys), dtype=np.uint32), values))

    def fetch(self, question_id: str, question_hash: bytes, first: int) -> tuple[bytes, bytes]:
        """The next rows: pseudonyms, and codes where there is more than one."""
        with self._underways.at(question_id, question_hash) as underway:
            rows = underway.rows
            if rows is None or first != underway.fetched or first >= rows.count:
                raise lost()
            self._require_matched(underway)
            batch = rows.read(first, MESSAGE_BYTES // (BLOCK + 4))
            underway.fetched += len(batch.codes)
            codes = b"" if underway.side.codes == 1 else batch.codes.astype("<u4").tobytes()
            return batch.pseudonyms.tobytes(), codes

    def deal(
        self, question_id: str, question_hash: bytes, owner: str, rows: int
    ) -> tuple[bytes, Envelope]:
        """The gateway's seed, and the owner's sealed to it."""
        with self._underways.at(question_id, question_hash) as underway:
            plan = underway.plan
            theirs = next((each for each in plan.sides if each.department == owner), None)
            if theirs is None or not theirs.values or owner in underway.dealings:
                raise lost()
            if plan.dealer(theirs) is not underway.side or not 0 <= rows < MOST_ROWS:
                raise lost()
            ours, sealed = secrets.token_bytes(SECRET_BYTES), secrets.token_bytes(SECRET_BYTES)
            columns, vectors = plan.columns(theirs), theirs.vectors
            underway.dealings[owner] = Dealing(
                Dealer(ours, sealed, columns, vectors), rows, columns, vectors, theirs.codes == 1
            )
            envelope = seal(
                sealed,
                b"deal" + question_hash + owner.encode(),
                self._member(owner).keys.sealing,
                self._keys.signing,
            )
            return ours, envelope

    def dealt(
        self, question_id: str, question_hash: bytes, owner: str, first: int
    ) -> tuple[bytes, int]:
        """The next numbers that the gateway needs, and for how many rows they are."""
        with self._underways.at(question_id, question_hash) as underway:
            dealing = underway.dealings.get(owner)
            if dealing is None or first != dealing.done or first >= dealing.rows:
                raise lost()
            each = max(1, MESSAGE_BYTES // (8 * dealing.columns * dealing.vectors))
            if not dealing.summed:
                rows = min(each, dealing.rows - first)
                dealing.done += rows
                return _bytes(dealing.dealer.next(rows)), rows
            total = np.zeros((dealing.columns, dealing.vectors), dtype=np.uint64)
            while dealing.done < dealing.rows:
                rows = min(each, dealing.rows - dealing.done)
                total += dealing.dealer.next(rows).sum(axis=2, dtype=np.uint64)
                dealing.done += rows
            return _bytes(total), dealing.rows

    def take(self, question_id: str, question_hash: bytes, envelope: Envelope) -> None:
        """The owner's part of the deal, from the department that deals for it."""
        with self._underways.at(question_id, question_hash) as underway:
            plan, side = underway.plan, underway.side
            if underway.rows is None or not side.values or underway.owner is not None:
                raise lost()
            self._require_matched(underway)
            info = b"deal" + question_hash + side.department.encode()
            seed = self._opened(envelope, info, plan.dealer(side).department)
            columns = plan.columns(side)
            underway.owner = Owner(seed, columns, side.vectors)
            underway.shares = np.zeros((side.codes, columns, side.vectors), dtype=np.uint64)

    def multiply(self, question_id: str, question_hash: bytes, first: int, bits: bytes) -> bytes:
        """The next hidden values, against the gateway's hidden bits for the same rows."""
        with self._underways.at(question_id, question_hash) as underway:
            rows, owner, side = underway.rows, underway.owner, underway.side
            columns = underway.plan.columns(side)
            count, rest = divmod(len(bits), 8 * columns)
            if rows is None or owner is None or underway.shares is None or underway.totalled:
                raise lost()
            if first != underway.multiplied or rest or not 0 < count <= rows.count - first:
                raise lost()
            asked = np.frombuffer(bits, dtype="<u8").astype(np.uint64).reshape(columns, count)
            batch = rows.read(first, count)
            values = np.ascontiguousarray(batch.values.T).view(np.uint64)
            answered, shares = owner.next(asked, values)
            underway.shares += per_code_of_all(shares, batch.codes, side.codes)
            underway.multiplied += count
            return _bytes(answered)

    def total(self, question_id: str, question_hash: bytes) -> bytes:
        """This department's shares of all sums, with its noise on them: step (9)."""
        with self._underways.at(question_id, question_hash) as underway:
            rows, shares = underway.rows, underway.shares
            if rows is None or shares is None or underway.totalled:
                raise lost()
            if underway.multiplied != rows.count:
                raise lost()
            underway.totalled = True
            wide = underway.side.vectors // len(underway.side.values)
            noisy = shares.copy()
            for place, value in enumerate(underway.side.values):
                of_value = noisy[:, :, place * wide : (place + 1) * wide]
                noise = self._draw([0] * of_value.size, value.mechanism)
                of_value += np.array(noise, dtype=np.int64).view(np.uint64).reshape(of_value.shape)
            return _bytes(noisy)

    def reveal(self, question_id: str, question_hash: bytes, codes: Sequence[int]) -> list[int]:
        """What the codes of released cells stand for. The question is over here."""
        with self._underways.at(question_id, question_hash) as underway:
            rows, side = underway.rows, underway.side
            if rows is None or underway.fetched != rows.count:
                raise lost()
            if side.values and not underway.totalled:
                raise lost()
            if sorted(set(codes)) != list(codes) or not all(code < side.codes for code in codes):
                raise lost()
            cells = np.argsort(underway.codes)
            found = [int(cells[code]) for code in codes]
        self._underways.drop(question_id)
        return found

    def _permitted(self, asked: Asked, draft: Draft) -> tuple[str, LinkPlan]:
        caller, plan = self._guard.linked(asked.asking, asked.question, draft)
        for side in plan.sides:
            if side.contract.id not in self._member(side.department).contracts:
                raise error(
                    "INVALID_ARGUMENT",
                    "A table of the question is not the member's it is said to be.",
                )
        return caller.organisation, plan

    def _member(self, department: str) -> MemberEntry:
        """As this department pinned it, whatever the gateway says."""
        found = self._manifest().member(department)
        if found is None:
            raise error(
                "INVALID_ARGUMENT",
                f"Department {self._guard.department} has no member {department} in its manifest.",
            )
        return found

    def _require_matched(self, underway: Underway) -> None:
        """Who must hide its keys gives nothing out before its rows are those of the keys shown."""
        if underway.plan.hider == self._guard.department and not underway.matched:
            raise lost()

    def _open(self, envelope: Envelope, info: bytes, sender: str) -> bytes:
        key: Ed25519PublicKey = self._member(sender).keys.signing
        return open_(envelope, info, self._keys.opening, key)

    def _opened(self, envelope: Envelope, info: bytes, sender: str) -> bytes:
        content = self._open(envelope, info, sender)
        if len(content) != SECRET_BYTES:
            raise error("ANSWER_REJECTED", "A sealed message holds no secret of 32 bytes.")
        return content

    def _underway(self, asked: Asked, plan: LinkPlan, secret: bytes) -> Underway:
        side = plan.side(self._guard.department)
        # A permutation that nobody else can guess: sorted by random keys.
        keys = np.frombuffer(secrets.token_bytes(16 * side.codes), dtype=f"S{BLOCK}")
        codes = np.argsort(keys, kind="stable").astype(np.uint32)
        return Underway(asked.question_hash, plan, side, secret, self._underways.until(), codes)

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
            loaded = self._loaded(side, tables.get(side.contract.id))
            draft.note(data_version=loaded.version)
            if time_left() <= MARGIN:
                raise error("DEADLINE")
            # (7) Also at a price of 0: its own dummies protect others, so one id is one draw.
            charged = self._reserve(asked, underway.plan, side, organisation)
            draft.note(charged_micro_rho=charged)
            underway.rows = self._rows(underway, engine, loaded, time_left)  # (8)
            return charged, underway.rows

    def _reserve(self, asked: Asked, plan: LinkPlan, side: SidePlan, organisation: str) -> int:
        """Charges for good: whatever becomes of the question, others may have seen its rows."""
        reserved: Reservation | Remembered = self._ledger.reserve(
            asked.asking.question_id,
            sha256(b"linked" + asked.question_hash).digest(),
            side.contract,
            organisation,
            _cost(plan, side),
        )
        if isinstance(reserved, Remembered):
            raise error("QUESTION_ID_REUSED", hint="Ask again under a new question id.")
        self._ledger.finish(reserved, b"")
        return reserved.micro_rho

    def _loaded(self, side: SidePlan, loaded: Loaded | None) -> Loaded:
        if loaded is None or not fits(loaded, side.contract):
            raise error(
                "DEPARTMENT_MISSING",
                f"Department {side.department} has not loaded {side.contract.id} yet.",
                missing=(side.department,),
            )
        return loaded

    def _rows(
        self, underway: Underway, engine: Engine, loaded: Loaded, time_left: Callable[[], float]
    ) -> SortedRows:
        plan, side = underway.plan, underway.side
        key = derived(underway.secret, b"id")
        parts = max(1, -(-loaded.rows // ROWS))
        self._folder.mkdir(exist_ok=True, mode=0o700)
        with RowSorter(self._folder, side.vectors, loaded.rows) as sorter:
            for part in range(parts):
                statement = compile_rows(side, plan.question.key, part, parts)
                timeout = time_left() - MARGIN
                if timeout <= 0:
                    raise error("DEADLINE")
                found = engine.columns(
                    statement.sql,
                    statement.parameters,
                    timeout=timeout,
                    maximum_rows=statement.rows,
                )
                sorter.add(self._batch(found, side, key, underway.codes))
            for batch in dummy_rows(plan, side, underway.secret, self._count):
                codes = underway.codes[batch.codes]
                sorter.add(Batch(batch.pseudonyms, codes, batch.values))
            return sorter.sorted()

    @staticmethod
    def _batch(found: Sequence[bytes], side: SidePlan, key: bytes, codes: np.ndarray) -> Batch:
        blocks = np.frombuffer(found[0], dtype=np.uint8)
        cells, *values = (np.frombuffer(each, dtype=np.int64) for each in found[1:])
        if len(values) != side.vectors or (len(cells) and not 0 <= cells.min() <= cells.max()):
            raise error("RUN_FAILED")
        if len(cells) and cells.max() >= side.codes:
            raise error("RUN_FAILED")
        table = np.empty((len(cells), side.vectors), dtype=np.int64)
        for place, each in enumerate(values):
            table[:, place] = each
        return Batch(pseudonyms(blocks.reshape(-1, BLOCK), key), codes[cells], table)


def _info_of_keys(question_hash: bytes, first: int) -> bytes:
    return b"keys" + question_hash + first.to_bytes(8, "big")


def _numbers(blocks: Blocks) -> np.ndarray:
    """Keys as values that compare like their bytes."""
    return np.ascontiguousarray(blocks).view(f"S{BLOCK}").reshape(-1)


def _cost(plan: LinkPlan, side: SidePlan) -> int:
    free = side.contract.disclosure.method is Method.UNPROTECTED
    return 0 if free else plan.release.cost_micro_rho


def _bytes(numbers: Words) -> bytes:
    """On the wire: 8 bytes each, little-endian."""
    return numbers.astype("<u8", copy=False).tobytes()
