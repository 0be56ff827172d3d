"""This department's shares of the reports of every measurement: durable, each in one batch at most.

A report is `new` when its share arrives, `valid` or `refused` once both departments have verified
it, which happens once: whatever is asked later gets the outcome that is written here. Its share is
deleted when it was verified, its part of the total when the batch is over; the id stays, so that a
replay is found for as long as the file lives.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

from landbridge.errors import LandbridgeError, error
from nodes.sqlite_file import Row, Run, SqliteFile

_SCHEMA: Final = (
    # `keys` is the digest of the masking keys that `share` and `seed` were made with; `seen` is
    # what the second department said of it, so that it says the same again.
    """CREATE TABLE report (
      number INTEGER PRIMARY KEY, task BLOB NOT NULL, id BLOB NOT NULL, digest BLOB NOT NULL,
      public BLOB NOT NULL, input BLOB NOT NULL, state TEXT NOT NULL
        CHECK (state IN ('new', 'valid', 'refused')),
      out BLOB NOT NULL, seed BLOB NOT NULL, share BLOB NOT NULL, keys BLOB NOT NULL,
      message BLOB NOT NULL, reason TEXT NOT NULL, batch TEXT NOT NULL, UNIQUE (task, id)
    ) STRICT""",
    "CREATE INDEX report_state ON report (task, batch, state, number)",
    """CREATE TABLE contributor (
      task BLOB NOT NULL, who TEXT NOT NULL, reports INTEGER NOT NULL, PRIMARY KEY (task, who)
    ) STRICT, WITHOUT ROWID""",
    # `charge` is the id under which the ledger holds the batch's charge: its own, or that of a
    # later question where a crash came between charge and total.
    """CREATE TABLE batch (
      task BLOB NOT NULL, id TEXT NOT NULL, recipient TEXT NOT NULL, micro_epsilon INTEGER NOT NULL,
      charge TEXT NOT NULL, reports INTEGER NOT NULL, refused INTEGER NOT NULL, ids BLOB NOT NULL,
      over INTEGER NOT NULL, PRIMARY KEY (task, id)
    ) STRICT, WITHOUT ROWID""",
    """CREATE TABLE asked (
      task BLOB NOT NULL, question TEXT NOT NULL, recipient TEXT NOT NULL, batch TEXT NOT NULL,
      PRIMARY KEY (task, recipient, question)
    ) STRICT, WITHOUT ROWID""",
)
MOST_KEPT: Final = 1_000_000
"""Reports of one measurement in no batch: some hundred bytes each, more for histograms."""
AT_ONCE: Final = 2_000
"""Parts that are read at a time."""


@dataclass(frozen=True, slots=True)
class Arrived:
    """A report as it came: its id, and this department's share of it, opened."""

    id: bytes
    public: bytes
    input: bytes

    @property
    def digest(self) -> bytes:
        """What makes two of them the same."""
        return sha256(len(self.public).to_bytes(8, "big") + self.public + self.input).digest()


@dataclass(frozen=True, slots=True)
class Held:
    """A report as it stands."""

    number: int
    id: bytes
    public: bytes
    input: bytes
    state: str
    out: bytes
    seed: bytes
    share: bytes
    keys: bytes
    message: bytes
    reason: str


@dataclass(frozen=True, slots=True)
class Settled:
    """What came of a report: its part of the total, or why there is none."""

    id: bytes
    out: bytes
    reason: str
    message: bytes = b""


@dataclass(frozen=True, slots=True)
class Batch:
    """Reports that are collected together. `fresh`: this very call made it."""

    id: str
    charge: str
    reports: int
    refused: int
    fresh: bool


_HELD: Final = "number, id, public, input, state, out, seed, share, keys, message, reason"


class CensusStore:
    """One department's file; safe for many threads of one process."""

    def __init__(self, path: Path, clock: Callable[[], float], most: int = MOST_KEPT) -> None:
        self._file = SqliteFile(path, _SCHEMA, clock, version=1, what="a store of census reports")
        self._most = most

    def keep(self, task: bytes, who: str, each: int, arrived: Sequence[Arrived]) -> list[str]:
        """Why each was not kept, empty for one that is; all are on disk when this returns.

        The same report again is kept already, and counts once. One caller (`who`, a keyed digest)
        hands in at most `each`; 0: any number. Of reports that are in no batch there is a most, so
        that nobody fills the disk while nobody collects.
        """
        reasons = []
        with self._file.transaction() as run:
            kept = _uncollected(run, task, self._most)
            row = run(
                "SELECT reports FROM contributor WHERE task = ? AND who = ?", (task, who)
            ).fetchone()
            handed_in = before = row[0] if row else 0
            for report in arrived:
                known = run(
                    "SELECT digest FROM report WHERE task = ? AND id = ?", (task, report.id)
                ).fetchone()
                if known is not None:
                    same = bytes(known[0]) == report.digest
                    reasons.append("" if same else "REPORT_ID_REUSED")
                elif each and handed_in >= each:
                    reasons.append("REPORTS_EXHAUSTED")
                elif kept >= self._most:
                    reasons.append("REPORTS_FULL")
                else:
                    handed_in, kept = handed_in + 1, kept + 1
                    run(
                        "INSERT INTO report (task, id, digest, public, input, state, out, seed, "
                        "share, keys, message, reason, batch) "
                        "VALUES (?, ?, ?, ?, ?, 'new', x'', x'', x'', x'', x'', '', '')",
                        (task, report.id, report.digest, report.public, report.input),
                    )
                    reasons.append("")
            if handed_in > before:
                run(
                    "INSERT INTO contributor VALUES (?, ?, ?) "
                    "ON CONFLICT DO UPDATE SET reports = excluded.reports",
                    (task, who, handed_in),
                )
        return reasons

    def waiting(self, task: bytes, after: int, most: int) -> list[Held]:
        """Reports that are not verified, in the order of their arrival."""
        with self._file.transaction() as run:
            rows = run(
                f"SELECT {_HELD} FROM report "  # noqa: S608 - our own column names
                "WHERE task = ? AND batch = '' AND state = 'new' AND number > ? "
                "ORDER BY number LIMIT ?",
                (task, after, most),
            ).fetchall()
        return [Held(*row) for row in rows]

    def held(self, task: bytes, ids: Sequence[bytes]) -> dict[bytes, Held]:
        """Those of these reports that have arrived here, by id."""
        found = {}
        with self._file.transaction() as run:
            for each in ids:
                row = run(
                    f"SELECT {_HELD} FROM report WHERE task = ? AND id = ?",  # noqa: S608
                    (task, each),
                ).fetchone()
                if row is not None:
                    found[each] = Held(*row)
        return found

    def began(
        self, task: bytes, keys: bytes, begun: Sequence[tuple[bytes, bytes, bytes, bytes]]
    ) -> None:
        """Keeps (id, out, seed, share) of reports of which this department has said its part."""
        with self._file.transaction() as run:
            for report, out, seed, share in begun:
                run(
                    "UPDATE report SET out = ?, seed = ?, share = ?, keys = ? "
                    "WHERE task = ? AND id = ? AND state = 'new'",
                    (out, seed, share, keys, task, report),
                )

    def settle(self, task: bytes, settled: Sequence[Settled]) -> None:
        """Writes what came of them; what was written before stays."""
        with self._file.transaction() as run:
            for each in settled:
                run(
                    "UPDATE report SET state = ?, out = ?, reason = ?, message = ?, "
                    "input = x'', seed = x'', share = x'' "
                    "WHERE task = ? AND id = ? AND state = 'new'",
                    (
                        "refused" if each.reason else "valid",
                        b"" if each.reason else each.out,
                        each.reason,
                        each.message,
                        task,
                        each.id,
                    ),
                )

    def close_batch(
        self, task: bytes, question: str, recipient: str, micro: int, minimum: int, most: int
    ) -> Batch:
        """The owner's next batch, or the one that this recipient has not been given whole.

        Raises BATCH_TOO_SMALL, BATCH_UNDER_WAY, QUESTION_ID_REUSED.
        """
        with self._file.transaction() as run:
            again = run(
                "SELECT batch FROM asked WHERE task = ? AND recipient = ? AND question = ?",
                (task, recipient, question),
            ).fetchone()
            if again is not None:
                return _same(_batch(run, task, again[0]), recipient, micro, "QUESTION_ID_REUSED")
            open_ = run("SELECT * FROM batch WHERE task = ? AND over = 0", (task,)).fetchone()
            if open_ is not None:
                found = _same(open_, recipient, micro, "BATCH_UNDER_WAY")
                _asked(run, task, question, recipient, found.id)
                return found
            numbers = [
                (row[0], bytes(row[1]))
                for row in run(
                    "SELECT number, id FROM report WHERE task = ? AND batch = '' "
                    "AND state = 'valid' ORDER BY number LIMIT ?",
                    (task, most),
                )
            ]
            if len(numbers) < minimum:
                raise error(
                    "BATCH_TOO_SMALL",
                    f"A batch has at least {minimum} valid reports.",
                    rule="contract.measurements.minimum",
                    hint="Reports that came stay for the next attempt.",
                )
            refused = run(
                "UPDATE report SET batch = ? WHERE task = ? AND batch = '' AND state = 'refused'",
                (question, task),
            ).rowcount
            for number, _ in numbers:
                run("UPDATE report SET batch = ? WHERE number = ?", (question, number))
            ids = b"".join(each for _, each in numbers)
            _made(run, task, question, recipient, micro, refused, ids)
            _asked(run, task, question, recipient, question)
            return Batch(question, question, len(numbers), refused, fresh=True)

    def take_batch(
        self, task: bytes, batch: str, recipient: str, micro: int, minimum: int, ids: bytes
    ) -> Batch:
        """The second's part: exactly these reports, valid and in no other batch.

        Raises BATCH_DIFFERS, BATCH_TOO_SMALL, BATCH_UNDER_WAY.
        """
        each = [ids[start : start + 16] for start in range(0, len(ids), 16)]
        with self._file.transaction() as run:
            row = run("SELECT * FROM batch WHERE task = ? AND id = ?", (task, batch)).fetchone()
            if row is not None:
                found = _same(row, recipient, micro, "BATCH_UNDER_WAY")
                if bytes(row[7]) != ids:
                    raise error("BATCH_DIFFERS")
                return found
            if len(each) < minimum:
                raise error("BATCH_TOO_SMALL", rule="contract.measurements.minimum")
            for report in each:
                taken = run(
                    "UPDATE report SET batch = ? "
                    "WHERE task = ? AND id = ? AND state = 'valid' AND batch = ''",
                    (batch, task, report),
                ).rowcount
                if not taken:  # unknown, refused, in another batch, or named twice
                    raise error("BATCH_DIFFERS")
            _made(run, task, batch, recipient, micro, 0, ids)
            return Batch(batch, batch, len(each), 0, fresh=True)

    def ids(self, task: bytes, batch: str) -> bytes:
        """The ids of a batch, 16 bytes each."""
        with self._file.transaction() as run:
            return bytes(_batch(run, task, batch)[7])

    def parts(self, task: bytes, batch: str) -> Iterator[list[bytes]]:
        """The parts of a batch's valid reports, some thousand at a time."""
        last = 0
        while True:
            with self._file.transaction() as run:
                rows = run(
                    "SELECT number, out FROM report WHERE task = ? AND batch = ? "
                    "AND state = 'valid' AND number > ? ORDER BY number LIMIT ?",
                    (task, batch, last, AT_ONCE),
                ).fetchall()
            if not rows:
                return
            last = rows[-1][0]
            yield [bytes(row[1]) for row in rows]

    def charged_as(self, task: bytes, batch: str, charge: str) -> None:
        """The batch's charge stands under that id now."""
        with self._file.transaction() as run:
            run("UPDATE batch SET charge = ? WHERE task = ? AND id = ?", (charge, task, batch))

    def reopen(self, task: bytes, batch: str) -> None:
        """Undoes a batch that nobody was told of: its reports wait for the next one."""
        with self._file.transaction() as run:
            run("UPDATE report SET batch = '' WHERE task = ? AND batch = ?", (task, batch))
            run("DELETE FROM batch WHERE task = ? AND id = ?", (task, batch))
            run("DELETE FROM asked WHERE task = ? AND batch = ?", (task, batch))

    def over(self, task: bytes, batch: str) -> None:
        """Both departments have given their shares: the parts are deleted, the ids stay."""
        with self._file.transaction() as run:
            run("UPDATE batch SET over = 1 WHERE task = ? AND id = ?", (task, batch))
            run(
                "UPDATE report SET out = x'', message = x'' WHERE task = ? AND batch = ?",
                (task, batch),
            )

    def close(self) -> None:
        """Lets go of the file."""
        self._file.close()


def _uncollected(run: Run, task: bytes, most: int) -> int:
    """How many may still be collected, counted in the index and no further than needed."""
    row = run(
        "SELECT count(*) FROM (SELECT 1 FROM report WHERE task = ? AND batch = '' "
        "AND state IN ('new', 'valid') LIMIT ?)",
        (task, most),
    ).fetchone()
    return int(row[0])


def _batch(run: Run, task: bytes, batch: str) -> Row:
    row: Row | None = run("SELECT * FROM batch WHERE task = ? AND id = ?", (task, batch)).fetchone()
    if row is None:
        raise error("BATCH_DIFFERS")
    return row


def _same(row: Row, recipient: str, micro: int, otherwise: str) -> Batch:
    """The batch of that row, for its own recipient and price."""
    _, ident, owner, price, charge, reports, refused, _, _ = row
    if (owner, price) != (recipient, micro):
        raise _under_way(otherwise)
    return Batch(ident, charge, reports, refused, fresh=False)


def _under_way(reason: str) -> LandbridgeError:
    return error(reason, hint="Ask again when it was collected, or by the same epsilon.")


def _made(
    run: Run, task: bytes, batch: str, recipient: str, micro: int, refused: int, ids: bytes
) -> None:
    run(
        "INSERT INTO batch VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0)",
        (task, batch, recipient, micro, batch, len(ids) // 16, refused, ids),
    )


def _asked(run: Run, task: bytes, question: str, recipient: str, batch: str) -> None:
    run("INSERT INTO asked VALUES (?, ?, ?, ?)", (task, question, recipient, batch))
