"""Which filters were asked of a contract, by anybody: what the differencing rule remembers.

Durable, beside the ledger and in SQLite with the same care: a question is on disk before any data
is read (step 7), so a crash never leaves an answer that the rule does not know of. It begins anew
with a new text of the contract, which is the owner's decision, and not with new data.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from landbridge.errors import error
from nodes.ledger import LedgerUnusable, undurable
from policies.contract import Contract
from policies.differencing import Asked, Condition, concerns, require_no_difference

VERSION = 1
_SCHEMA = """CREATE TABLE asked (
  contract TEXT NOT NULL, digest TEXT NOT NULL, question TEXT NOT NULL,
  PRIMARY KEY (contract, digest, question)
) STRICT"""


class History:
    """One department's history, in one SQLite file; safe for many threads of one process."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        self._lost = False
        try:
            self._connection = sqlite3.connect(
                path, check_same_thread=False, isolation_level=None, timeout=0.5
            )
            self._prepare()
        except sqlite3.Error:
            raise LedgerUnusable(
                f"{path} cannot be used as a history of questions: is another node using it, is "
                "the disk full, may this user write there? Without it nothing may be answered."
            ) from None

    def _prepare(self) -> None:
        run = self._connection.execute
        run("PRAGMA locking_mode=EXCLUSIVE")
        run("PRAGMA journal_mode=WAL")
        run("PRAGMA synchronous=FULL")
        run("BEGIN IMMEDIATE")
        version = run("PRAGMA user_version").fetchone()[0]
        if version == 0:
            run(_SCHEMA)
            run(f"PRAGMA user_version={VERSION}")
        elif version != VERSION:
            run("ROLLBACK")
            raise sqlite3.DatabaseError
        run("COMMIT")
        if run("PRAGMA quick_check").fetchone()[0] != "ok":
            raise sqlite3.DatabaseError

    def admit(self, contract: Contract, now: Asked) -> None:
        """Remembers the question durably; raises DIFFERENCING, and remembers nothing then.

        LEDGER_UNAVAILABLE after a failed write or sync, as the ledger, until a restart.
        """
        if not concerns(contract, now):
            return
        with self._lock:
            if self._lost:
                raise error("LEDGER_UNAVAILABLE")
            run = self._connection.execute
            try:
                # Compared and remembered in one transaction: of two at once the second is refused.
                run("BEGIN IMMEDIATE")
                require_no_difference(contract, now, self._earlier(contract))
                run(
                    "INSERT INTO asked VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
                    (contract.id, contract.digest, json.dumps(asdict(now), sort_keys=True)),
                )
                run("COMMIT")
            except BaseException as failure:
                self._lost = undurable(failure)
                if self._connection.in_transaction:
                    with suppress(sqlite3.Error):  # the first failure is the one to tell
                        run("ROLLBACK")
                if isinstance(failure, sqlite3.Error):
                    raise error("LEDGER_UNAVAILABLE") from None
                raise

    def compare(self, contract: Contract, now: Asked) -> None:
        """Refuses as `admit` would, and remembers nothing."""
        if concerns(contract, now):
            with self._lock:
                earlier = self._earlier(contract)
            require_no_difference(contract, now, earlier)

    def close(self) -> None:
        """Lets go of the file."""
        self._connection.close()

    def _earlier(self, contract: Contract) -> list[Asked]:
        rows = self._connection.execute(
            "SELECT question FROM asked WHERE contract = ? AND digest = ?",
            (contract.id, contract.digest),
        ).fetchall()
        return [_asked(json.loads(text)) for (text,) in rows]


def _asked(kept: dict[str, Any]) -> Asked:
    return Asked(
        tuple(
            Condition(
                part["text"], tuple(part["columns"]), tuple(part["values"]), part["low"],
                part["high"],
            )
            for part in kept["conditions"]
        ),
        tuple(kept["sums"]),
    )  # fmt: skip
