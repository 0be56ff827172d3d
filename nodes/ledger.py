"""The owner's ledger: budgets, answers already given, grants used. Durable.

A charge is on disk before any data is read (step 7). It is made final together with the released
answer, or given back when no data was read. A process that dies in between leaves the charge
standing: spent is never less than released. A question to joined contracts is charged in full to
each of them, in one transaction: to all or to none.

SQLite in WAL mode with synchronous=FULL: a committed transaction survives a power cut. Amounts are
whole micro-rho (see `policies.accounting`). What is only looked at is remembered (`_Seen`), and the
time is written with a charge alone: a budget that is looked at changes nothing and syncs nothing.
"""

from __future__ import annotations

import sqlite3
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from landbridge.errors import LandbridgeError, error
from policies.accounting import limit
from policies.contract import Contract

VERSION = 2
EVERYBODY = ""
"""The recipient under which the overall budget is kept."""
MEMORY_BYTES = 16 << 20
"""Of answers that were given, beside the file that holds them all."""

# One row of `charge` per question: of joined contracts, `contract` and `period` hold those of all
# parts, in one order and with a space between; `spent` has a row for each.
_SCHEMA = """
CREATE TABLE charge (
  question_id TEXT NOT NULL, recipient TEXT NOT NULL, key BLOB NOT NULL, contract TEXT NOT NULL,
  period TEXT NOT NULL, micro_rho INTEGER NOT NULL CHECK (micro_rho >= 0),
  state TEXT NOT NULL CHECK (state IN ('reserved', 'final')), at TEXT NOT NULL,
  PRIMARY KEY (recipient, question_id)
) STRICT;
CREATE TABLE spent (
  contract TEXT NOT NULL, recipient TEXT NOT NULL, period TEXT NOT NULL,
  micro_rho INTEGER NOT NULL CHECK (micro_rho >= 0),
  PRIMARY KEY (contract, recipient, period)
) STRICT;
CREATE TABLE answer (key BLOB PRIMARY KEY, release BLOB NOT NULL) STRICT;
CREATE TABLE clock (latest TEXT NOT NULL) STRICT;
INSERT INTO clock VALUES ('');
"""
# Rounds of pooled questions: `hash` is the key of its charge and of what was kept as its answer,
# `memory` what makes two of them the same question over the same data.
_SINCE_1 = """
CREATE TABLE round (
  number INTEGER PRIMARY KEY, hash BLOB NOT NULL UNIQUE, memory BLOB NOT NULL
) STRICT;
CREATE INDEX round_memory ON round (memory)"""

# Made beside the tables of version 1, whose readers can do without: they refuse more, never less.
# `granted` has a row per grant that was used, `question_id` of its first use, `micro_rho` of all;
# `lifted` is what officers let a recipient have beyond the allowance, in all.
_GRANTS = """
CREATE TABLE IF NOT EXISTS granted (
  id TEXT PRIMARY KEY, question_id TEXT NOT NULL,
  micro_rho INTEGER NOT NULL CHECK (micro_rho >= 0), at TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS lifted (
  contract TEXT NOT NULL, recipient TEXT NOT NULL, period TEXT NOT NULL,
  micro_rho INTEGER NOT NULL CHECK (micro_rho >= 0),
  PRIMARY KEY (contract, recipient, period)
) STRICT;
"""


_LENGTHS = {"never": 0, "year": 4, "month": 7, "day": 10}
"""Kind of period to the characters of a time that name it."""


class LedgerUnusable(Exception):
    """The ledger's file cannot be used; the message says which file and what to do."""


@dataclass(frozen=True, slots=True)
class Account:
    """A budget in one period, in micro-rho."""

    spent: int
    limit: int
    delta: float
    renews: str


@dataclass(frozen=True, slots=True)
class GrantUse:
    """The use of a grant: once, or until it expires; `expires` is in seconds since 1970.

    `micro_rho` is what it lets its recipient have beyond the allowance, 0 for nothing.
    """

    id: str
    single: bool
    micro_rho: int
    expires: float


@dataclass(frozen=True, slots=True)
class Reservation:
    """A charge that is on disk and waits for its answer.

    `charged` are the contracts whose budgets it stands in, each with its period there; `grant` is
    the one that it is made under, None for what policy permits by itself.
    """

    question_id: str
    recipient: str
    key: bytes
    charged: tuple[tuple[str, str], ...]
    micro_rho: int
    grant: GrantUse | None = None
    again: bool = False
    """Made by an earlier run whose draw was lost, so data was read for it."""


@dataclass(frozen=True, slots=True)
class Remembered:
    """The same question was answered before: the same bytes again, free of charge."""

    release: bytes


class _Seen:
    """What was read of the file, which nobody else can write to while it is open.

    Answers that were given are never changed, so they are kept until newer ones take their room;
    sums are forgotten by every transaction, whatever it wrote.
    """

    def __init__(self) -> None:
        self.sums: dict[tuple[str, str, str], tuple[int, int]] = {}
        self._answers: OrderedDict[bytes, bytes] = OrderedDict()
        self._bytes = 0

    def answer(self, key: bytes) -> bytes | None:
        """The answer, if it is still here."""
        found = self._answers.get(key)
        if found is not None:
            self._answers.move_to_end(key)
        return found

    def keep(self, key: bytes, release: bytes) -> None:
        """An answer that is on disk, and will not become another one."""
        if key in self._answers or not release:
            return  # an empty one waits for what `Ledger.keep` puts in its place
        self._answers[key] = release
        self._bytes += len(release)
        while self._bytes > MEMORY_BYTES:
            _, gone = self._answers.popitem(last=False)
            self._bytes -= len(gone)


class Ledger:
    """One department's ledger, in one SQLite file; safe for many threads of one process."""

    def __init__(self, path: Path, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._latest = ""
        self._seen = _Seen()
        self._lock = threading.Lock()
        self._lost = False
        try:
            self._connection = sqlite3.connect(
                path, check_same_thread=False, isolation_level=None, timeout=0.5
            )
            self._prepare()
        except sqlite3.OperationalError as failure:
            raise LedgerUnusable(
                f"{path} cannot be opened as a ledger ({failure}): is another node using it, is "
                "the disk full, may this user write there?"
            ) from None
        except sqlite3.DatabaseError:
            raise LedgerUnusable(
                f"{path} is not a usable ledger: put the last good copy back, or move the file "
                "away to start with fresh budgets (which must be the owner's decision)"
            ) from None

    def _prepare(self) -> None:
        run = self._connection.execute
        # Another process on the same ledger would count its budget beside ours.
        run("PRAGMA locking_mode=EXCLUSIVE")
        run("PRAGMA journal_mode=WAL")
        run("PRAGMA synchronous=FULL")
        run("BEGIN IMMEDIATE")
        version = run("PRAGMA user_version").fetchone()[0]
        if version == 0:
            for statement in _SCHEMA.split(";\n"):
                run(statement)
        elif version not in (1, VERSION):
            run("ROLLBACK")
            raise LedgerUnusable(
                f"the ledger has version {version}; this program knows version {VERSION}"
            )
        if version < VERSION:
            for statement in _SINCE_1.split(";\n"):
                run(statement)
            run(f"PRAGMA user_version={VERSION}")
        for statement in _GRANTS.split(";\n"):
            run(statement)
        run("COMMIT")
        if run("PRAGMA quick_check").fetchone()[0] != "ok":
            raise sqlite3.DatabaseError

    def reserve(
        self,
        question_id: str,
        key: bytes,
        contract: Contract,
        recipient: str,
        micro_rho: int,
        grant: GrantUse | None = None,
        *,
        again: bool = False,
    ) -> Reservation | Remembered:
        """Charges both budgets of every part durably, or finds that the answer was given before.

        A grant is used in the same transaction. What it grants beyond the allowance is spent by
        the recipient too, whose allowance grows by it; the overall budget never grows.

        With `again` the same question under the same id takes up a charge whose answer was lost:
        for a draw that leaves in no form before `finish`. Without, that is QUESTION_ID_REUSED.

        Raises BUDGET_EXHAUSTED, which names the contract, QUESTION_ID_REUSED when the id was
        another question's, GRANT_SPENT and GRANT_EXPIRED; then nothing is charged or used.
        """
        beyond = micro_rho if grant is not None and grant.micro_rho else 0
        if grant is None:
            with self._reading():
                given = self._seen.answer(key)
            if given is not None:
                return Remembered(given)
        with self._transaction() as run:
            if grant is not None:
                self._use(grant, question_id, 0)
            known = run("SELECT release FROM answer WHERE key = ?", (key,)).fetchone()
            if known is not None:
                self._seen.keep(key, known[0])
                return Remembered(known[0])
            earlier = run(
                "SELECT key, state, contract, period, micro_rho FROM charge "
                "WHERE recipient = ? AND question_id = ?",
                (recipient, question_id),
            ).fetchone()
            if earlier is not None:
                was, state, contracts, of, reserved = earlier
                if again and was == key and state == "reserved":
                    # Ended by a crash, or because nobody waited: nobody has seen its draw.
                    parts = tuple(zip(contracts.split(" "), of.split(" "), strict=True))
                    return Reservation(
                        question_id, recipient, key, parts, reserved, grant, again=True
                    )
                # Another question, or a draw of which something may have left: its charge stands,
                # and a second draw needs a second id.
                raise error("QUESTION_ID_REUSED", hint="Ask again under a new question id.")
            charged, at = [], ""
            for part in contract.each:
                period, at = self._period(part.disclosure.period)
                charged.append((part.id, period))
                for who, account in self._accounts(part, recipient, period).items():
                    own = beyond if who == recipient else 0
                    if account.spent + micro_rho > account.limit + own:
                        raise _exhausted(part.id, account, overall=who == EVERYBODY)
            names, periods = (" ".join(words) for words in zip(*charged, strict=True))
            run(
                "INSERT INTO charge VALUES (?, ?, ?, ?, ?, ?, 'reserved', ?)",
                (question_id, recipient, key, names, periods, micro_rho, at),
            )
            for name, period in charged:
                for who in (recipient, EVERYBODY):
                    run(
                        "INSERT INTO spent VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE "
                        "SET micro_rho = micro_rho + excluded.micro_rho",
                        (name, who, period, micro_rho),
                    )
            if grant is not None and beyond:
                self._use(grant, question_id, beyond)
                for name, period in charged:
                    run(
                        "INSERT INTO lifted VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE "
                        "SET micro_rho = micro_rho + excluded.micro_rho",
                        (name, recipient, period, beyond),
                    )
        return Reservation(question_id, recipient, key, tuple(charged), micro_rho, grant)

    def use(self, grant: GrantUse, question_id: str) -> None:
        """Uses a grant for what is not remembered; raises GRANT_SPENT, GRANT_EXPIRED.

        So a retry is another use: the data may have changed since.
        """
        with self._transaction() as run:
            known = run("SELECT 1 FROM granted WHERE id = ?", (grant.id,)).fetchone()
            if known is not None and grant.single:
                raise error("GRANT_SPENT", hint="Open another consultation.")
            self._use(grant, question_id, 0)

    def _use(self, grant: GrantUse, question_id: str, micro_rho: int) -> None:
        _, at = self._period("never")
        if at >= datetime.fromtimestamp(grant.expires, UTC).isoformat():
            raise error("GRANT_EXPIRED")
        run = self._connection.execute
        known = run(
            "SELECT question_id, micro_rho FROM granted WHERE id = ?", (grant.id,)
        ).fetchone()
        if known is None:
            run("INSERT INTO granted VALUES (?, ?, ?, ?)", (grant.id, question_id, micro_rho, at))
        elif grant.single and known[0] != question_id:
            raise error("GRANT_SPENT", hint="Open another consultation.")
        elif micro_rho:
            if known[1] + micro_rho > grant.micro_rho:
                raise error(
                    "GRANT_SPENT",
                    "What is left of the grant's budget does not cover this question.",
                    rule="grant.budget",
                    hint="Open another consultation.",
                )
            run("UPDATE granted SET micro_rho = micro_rho + ? WHERE id = ?", (micro_rho, grant.id))

    def finish(self, reservation: Reservation, release: bytes, memory: bytes = b"") -> None:
        """Makes the charge final and remembers the answer, in one transaction.

        With `memory`, as a round that `earlier` finds under it.
        """
        with self._transaction() as run:
            run("INSERT INTO answer VALUES (?, ?)", (reservation.key, release))
            if memory:
                run("INSERT INTO round (hash, memory) VALUES (?, ?)", (reservation.key, memory))
            self._settled(
                run(
                    "UPDATE charge SET state = 'final' "
                    "WHERE recipient = ? AND question_id = ? AND state = 'reserved'",
                    (reservation.recipient, reservation.question_id),
                )
            )
        with self._lock:  # only now is it on disk
            self._seen.keep(reservation.key, release)

    def give_back(self, reservation: Reservation) -> None:
        """Undoes a charge for which no data was read."""
        with self._transaction() as run:
            self._settled(
                run(
                    "DELETE FROM charge "
                    "WHERE recipient = ? AND question_id = ? AND state = 'reserved'",
                    (reservation.recipient, reservation.question_id),
                )
            )
            for name, period in reservation.charged:
                for who in (reservation.recipient, EVERYBODY):
                    run(
                        "UPDATE spent SET micro_rho = micro_rho - ? "
                        "WHERE contract = ? AND recipient = ? AND period = ?",
                        (reservation.micro_rho, name, who, period),
                    )
            if reservation.grant is not None:
                self._unused(reservation, reservation.grant)

    def settle(self, recipient: str, question_id: str, micro_rho: int) -> None:
        """Makes a charge final at what was used of it; the rest goes back where it came from.

        For what is reserved long before it is used, and never used again from now on. Does nothing
        where the charge is final already, or is none.
        """
        with self._transaction():
            self._settle(recipient, question_id, micro_rho)

    def undo(self, recipient: str, question_id: str) -> None:
        """Undoes a reserved charge for which nothing was ever made: the id is as it was before."""
        with self._transaction() as run:
            if self._settle(recipient, question_id, 0):
                run(
                    "DELETE FROM charge WHERE recipient = ? AND question_id = ?",
                    (recipient, question_id),
                )

    def _settle(self, recipient: str, question_id: str, micro_rho: int) -> bool:
        """Within a transaction; whether there was a reserved charge."""
        run = self._connection.execute
        row = run(
            "SELECT contract, period, micro_rho FROM charge "
            "WHERE recipient = ? AND question_id = ? AND state = 'reserved'",
            (recipient, question_id),
        ).fetchone()
        if row is None:
            return False
        contracts, periods, reserved = row
        used = min(micro_rho, reserved)
        run(
            "UPDATE charge SET state = 'final', micro_rho = ? "
            "WHERE recipient = ? AND question_id = ?",
            (used, recipient, question_id),
        )
        # A budget that never renews has an empty period, which is a word of its own here.
        for name, period in zip(contracts.split(" "), periods.split(" "), strict=True):
            for who in (recipient, EVERYBODY):
                run(
                    "UPDATE spent SET micro_rho = micro_rho - ? "
                    "WHERE contract = ? AND recipient = ? AND period = ?",
                    (reserved - used, name, who, period),
                )
        return True

    def _unused(self, reservation: Reservation, grant: GrantUse) -> None:
        """No data was read for it, so the grant is as it was before."""
        run = self._connection.execute
        if grant.micro_rho:
            for name, period in reservation.charged:
                run(
                    "UPDATE lifted SET micro_rho = micro_rho - ? "
                    "WHERE contract = ? AND recipient = ? AND period = ?",
                    (reservation.micro_rho, name, reservation.recipient, period),
                )
            run(
                "UPDATE granted SET micro_rho = micro_rho - ? WHERE id = ?",
                (reservation.micro_rho, grant.id),
            )
        if grant.single:
            run("DELETE FROM granted WHERE id = ?", (grant.id,))

    def keep(self, key: bytes, release: bytes) -> bool:
        """Puts an answer beside a final charge that has none; False where there is no such charge.

        Nothing that was kept is ever replaced.
        """
        with self._transaction() as run:
            changed = run(
                "UPDATE answer SET release = ? WHERE key = ? AND release = x''", (release, key)
            )
        return changed.rowcount == 1

    def kept(self, key: bytes) -> bytes | None:
        """What was remembered under that key."""
        with self._reading() as run:
            row = run("SELECT release FROM answer WHERE key = ?", (key,)).fetchone()
        return None if row is None else bytes(row[0])

    def earlier(self, memory: bytes, most: int) -> tuple[bytes, ...]:
        """The hashes of the rounds that are the same question, the latest first."""
        with self._reading() as run:
            rows = run(
                "SELECT hash FROM round WHERE memory = ? ORDER BY number DESC LIMIT ?",
                (memory, most),
            ).fetchall()
        return tuple(bytes(row[0]) for row in rows)

    def accounts(self, contract: Contract, recipient: str) -> tuple[Account, Account]:
        """The recipient's and the overall budget in the current period.

        Of joined contracts each is the one with least left, which will end first.
        """
        with self._reading():
            now = self._now()
            found = [
                self._accounts(part, recipient, now[: _LENGTHS[part.disclosure.period]])
                for part in contract.each
            ]
            return (
                min((each[recipient] for each in found), key=_left),
                min((each[EVERYBODY] for each in found), key=_left),
            )

    def close(self) -> None:
        """Lets go of the file."""
        self._connection.close()

    @staticmethod
    def _settled(changed: sqlite3.Cursor) -> None:
        if changed.rowcount != 1:
            raise error("FAULT")

    def _accounts(self, contract: Contract, recipient: str, period: str) -> dict[str, Account]:
        terms = contract.disclosure
        renews = _renewal(terms.period, period)
        found = {}
        for who, allowance in ((recipient, terms.recipient), (EVERYBODY, terms.overall)):
            spent, beyond = self._sums(contract.id, who, period)
            found[who] = Account(spent, limit(allowance) + beyond, allowance.delta, renews)
        return found

    def _sums(self, contract: str, who: str, period: str) -> tuple[int, int]:
        """What was spent of a budget, and what officers let be spent beyond it."""
        key = (contract, who, period)
        run = self._connection.execute
        known = self._seen.sums.get(key)
        if known is not None:
            return known
        found = (
            run("SELECT micro_rho FROM spent WHERE contract=? AND recipient=? AND period=?", key),
            run("SELECT micro_rho FROM lifted WHERE contract=? AND recipient=? AND period=?", key),
        )
        spent, beyond = (row[0] if (row := each.fetchone()) else 0 for each in found)
        if not self._connection.in_transaction:  # which may change it, or be taken back
            self._seen.sums[key] = (spent, beyond)
        return spent, beyond

    def _period(self, kind: str) -> tuple[str, str]:
        """The current period's name and the time; a clock set back re-opens no earlier period."""
        now = self._now()
        self._connection.execute("UPDATE clock SET latest = max(latest, ?)", (now,))
        return now[: _LENGTHS[kind]], now

    def _now(self) -> str:
        """The time, ISO 8601, never before one that was given already; a charge writes it down."""
        if not self._latest:
            self._latest = self._connection.execute("SELECT latest FROM clock").fetchone()[0]
        now = datetime.fromtimestamp(self._clock(), UTC).isoformat(timespec="microseconds")
        self._latest = max(self._latest, now)
        return self._latest

    @contextmanager
    def _reading(self) -> Iterator[Callable[..., sqlite3.Cursor]]:
        """Looks, and writes nothing; raises LEDGER_UNAVAILABLE as `_transaction` does."""
        with self._lock:
            if self._lost:
                raise error("LEDGER_UNAVAILABLE")
            try:
                yield self._connection.execute
            except sqlite3.Error as failure:
                self._lost = undurable(failure)
                raise error("LEDGER_UNAVAILABLE") from None

    @contextmanager
    def _transaction(self) -> Iterator[Callable[..., sqlite3.Cursor]]:
        """All or nothing, on disk when it returns; LEDGER_UNAVAILABLE when that cannot be.

        After a failed write or sync nothing is charged any more until the process starts again: a
        sync that failed may succeed the next time and still have lost what was written before.
        """
        with self._lock:
            if self._lost:
                raise error("LEDGER_UNAVAILABLE")
            run = self._connection.execute
            try:
                run("BEGIN IMMEDIATE")
                self._seen.sums.clear()
                yield run
                run("COMMIT")
            except BaseException as failure:
                self._lost = undurable(failure)
                if self._connection.in_transaction:
                    with suppress(sqlite3.Error):  # the first failure is the one to tell
                        run("ROLLBACK")
                if isinstance(failure, sqlite3.Error):
                    raise error("LEDGER_UNAVAILABLE") from None
                raise


def undurable(failure: BaseException) -> bool:
    """Whether nobody can say any more what of a SQLite file is on the medium.

    A full disk alone is no such failure: SQLite takes the transaction back, and room may come.
    """
    if not isinstance(failure, sqlite3.Error):
        return False
    primary = getattr(failure, "sqlite_errorcode", sqlite3.SQLITE_IOERR) & 0xFF
    return primary in (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def _left(account: Account) -> int:
    return account.limit - account.spent


def _exhausted(contract: str, account: Account, *, overall: bool) -> LandbridgeError:
    return error(
        "BUDGET_EXHAUSTED",
        f"The budget of contract {contract} "
        f"{'in all' if overall else 'for your organisation'} does not cover this question.",
        rule=f"contract.budget.{'overall' if overall else 'recipient'}",
        hint="A smaller epsilon may fit"
        + (f"; it renews on {account.renews}." if account.renews else "."),
    )


def _renewal(kind: str, period: str) -> str:
    """The first day of the next period, ISO; empty for a budget that never renews."""
    if kind == "never":
        return ""
    if kind == "year":
        return f"{int(period) + 1}-01-01"
    if kind == "month":
        year, month = map(int, period.split("-"))
        return f"{year + month // 12}-{month % 12 + 1:02d}-01"
    return (date.fromisoformat(period) + timedelta(days=1)).isoformat()
