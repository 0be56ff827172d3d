"""Apache Spark as a node's engine, over Parquet files that a load wrote beside the lake.

The node is one client of a Spark Connect server among others. What a statement may use is the
cluster's to limit (see docs/engines.md); the time is held here, and ends the statement there.
"""

from __future__ import annotations

import re
import secrets
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Final

from landbridge.edge.wanted import given_up, while_wanted
from landbridge.errors import error
from nodes.dialects.dialect import Dialect
from nodes.dialects.spark import SPARK
from nodes.engines.ending import Ending
from nodes.engines.engine import Cell, EngineNotStarted, Parameter
from nodes.engines.kind import Kind
from nodes.engines.process import BLOCK
from nodes.engines.spark import session as sessions
from nodes.engines.spark.session import Failed, Late, Session, Unreachable

IDLE_SECONDS: Final = 900.0
"""After which a session is not used again: a server forgets one after an hour (its default)."""

_VERSION: Final = re.compile(r"[0-9a-f]{32}")


def table_path(folder: str, contract_id: str, version: str) -> str:
    """Where one data version of a contract lies, as Spark's machines see it."""
    return f"{folder.rstrip('/')}/{contract_id}/{version}"


class SparkEngine:
    """An `Engine` over the tables that a load wrote into `folder`.

    `tables` maps the name used after FROM to the store's file, which is named after the version.
    Raises `EngineNotStarted` where the server is out of reach or a table cannot be read.
    """

    def __init__(
        self, tables: Mapping[str, Path], remote: str, token: str, folder: str, workers: int = 1
    ) -> None:
        self.dialect: Dialect = SPARK
        for name, path in tables.items():
            if path.suffix != Kind.SPARK.suffix or not _VERSION.fullmatch(path.stem):
                raise EngineNotStarted(
                    f"{name} was loaded for another engine; load it again for this one."
                )
        self._remote, self._token = remote, token
        self._paths = {name: table_path(folder, name, path.stem) for name, path in tables.items()}
        self._running = threading.BoundedSemaphore(workers)
        self._closed = False
        self._lock = threading.Lock()
        # Guarded by _lock: the sessions, of which the last is used, and when it was used last.
        self._sessions = [self._open()]
        self._used = time.monotonic()
        self._suspect = False

    def run(
        self,
        sql: str,
        parameters: Sequence[Parameter],
        *,
        timeout: float,
        maximum_rows: int,
    ) -> list[tuple[Cell, ...]]:
        """See `Engine.run`. Tables are named as in `tables`; places are `:p1`, `:p2`, ..."""
        table = self._asked(sql, parameters, timeout, maximum_rows)
        found: list[tuple[Cell, ...]] | None = None
        if table is not None:
            with suppress(Failed):
                found = sessions.cells(table)
        if found is None:
            raise error("RUN_FAILED")
        return found

    def columns(
        self,
        sql: str,
        parameters: Sequence[Parameter],
        *,
        timeout: float,
        maximum_rows: int,
    ) -> list[bytes]:
        """See `Engine.columns`."""
        table = self._asked(sql, parameters, timeout, maximum_rows)
        found: list[bytes] | None = None
        if table is not None:
            with suppress(Failed):
                found = sessions.columns(table, BLOCK)
        if found is None:
            raise error("RUN_FAILED")
        return found

    def _asked(
        self, sql: str, parameters: Sequence[Parameter], timeout: float, maximum_rows: int
    ) -> Any | None:
        """An Arrow table of at most so many rows; None for a failure."""
        deadline = time.monotonic() + timeout
        if self._closed:
            raise error("SHUTTING_DOWN")
        found, late = None, True
        if self._running.acquire(timeout=max(0.0, timeout)):
            tag = f"landbridge-{secrets.token_hex(8)}"
            ending: Ending | None = None
            try:
                session = self._current()
                ending = Ending(partial(_interrupt, session, tag))
                if not given_up():
                    with while_wanted(ending.soon):
                        found = session.select(
                            sql, parameters, tag=tag, deadline=deadline, maximum_rows=maximum_rows
                        )
                    late = False
            except (Failed, EngineNotStarted):
                late = False
            except Late:
                pass
            finally:
                if ending is not None:
                    ending.over()
                self._running.release()
                # Whoever saw a run fail answers nobody else; it may be the session that failed.
                self._suspect = self._suspect or found is None
        if late:
            # Raised here, outside the handlers, so that it has neither cause nor context.
            raise error("DEADLINE")
        return found if found is not None and found.num_rows <= maximum_rows else None

    def _current(self) -> Session:
        """The session to ask in; a new one after a failure, and before the server forgets it."""
        with self._lock:
            now = time.monotonic()
            if self._suspect or now - self._used > IDLE_SECONDS:
                self._sessions.append(self._open())
                self._suspect = False
                # Older ones may still be asked in by other threads; the last but one is kept.
                for old in self._sessions[:-2]:
                    old.close()
                del self._sessions[:-2]
            self._used = now
            return self._sessions[-1]

    def _open(self) -> Session:
        """A session in which the tables have their names; raises EngineNotStarted."""
        session = opened(self._remote, self._token)
        for name, path in self._paths.items():
            missing = True
            with suppress(Failed):
                session.show(name, path)
                missing = False
            if missing:
                session.close()
                raise EngineNotStarted(f"Spark cannot read the table of {name}; load it again.")
        return session

    def close(self) -> None:
        """See `Engine.close`. What runs is interrupted at the server."""
        self._closed = True
        with self._lock:
            for session in self._sessions:
                session.close()


def _interrupt(session: Session, tag: str) -> None:
    session.interrupt(tag)


def opened(remote: str, token: str) -> Session:
    """A session; raises EngineNotStarted."""
    session: Session | None = None
    with suppress(Unreachable):
        session = Session(remote, token=token)
    if session is None:
        raise EngineNotStarted(
            "Spark does not let this node in; see engine.connection and engine.token, and the log "
            "of the Spark Connect server."
        )
    return session
