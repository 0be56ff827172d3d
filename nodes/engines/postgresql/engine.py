"""PostgreSQL as a node's engine: a few sessions of a role that can read its tables and no more.

The server's own limits hold for what one statement may use (`work_mem`, `temp_file_limit` of the
role, see docs/engines.md); the time is held here and by the server, see `connection`.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, TypeVar

from landbridge.edge.wanted import given_up, while_wanted
from landbridge.errors import error
from nodes.dialects.dialect import Dialect
from nodes.dialects.postgresql import POSTGRESQL
from nodes.engines.ending import Ending
from nodes.engines.engine import Cell, EngineNotStarted, Parameter
from nodes.engines.kind import Kind
from nodes.engines.postgresql import connection as sessions
from nodes.engines.postgresql.connection import Connection, Failed, Late, Stale, Unreachable
from nodes.engines.postgresql.privileges import excess
from nodes.engines.process import BLOCK

Answer = TypeVar("Answer")

_VERSION: Final = re.compile(r"[0-9a-f]{32}")


def quoted(identifier: str) -> str:
    """The identifier in double quotes, whatever it contains."""
    return '"' + identifier.replace('"', '""') + '"'


def table_name(version: str) -> str:
    """Of the table of one data version, in the node's schema."""
    return f"data_{version}"


class PostgreSQLEngine:
    """An `Engine` over the tables that a load made in `schema`.

    `tables` maps the name used after FROM to the store's file, which is named after the version.
    `contracts` are all whose tables the role may see. Raises `EngineNotStarted` where the server is
    out of reach, a table is missing, or the role can do more than read these tables.
    """

    def __init__(
        self,
        tables: Mapping[str, Path],
        conninfo: str,
        schema: str,
        contracts: Sequence[str],
        workers: int = 1,
    ) -> None:
        self.dialect: Dialect = POSTGRESQL
        self._conninfo = conninfo
        self._workers = workers
        self._names = dict(sorted(_named(tables, schema).items()))
        self._changed = threading.Condition()
        # All below is guarded by _changed.
        self._idle: list[Connection] = []
        self._busy: set[Connection] = set()
        self._opening = 0
        self._closed = False
        first = _opened(conninfo)
        found: list[str] | None = None
        try:
            # A contract that was taken out of the policy while the node serves is still its own.
            found = excess(first, schema, (*contracts, *tables))
            for name, relation in self._names.items():
                if first.execute("SELECT to_regclass($1::text)::text", [relation]) == [(None,)]:
                    found = [f"the table of {name} is not there; load it again"]
        except Failed:
            pass
        if found is None or found:
            first.close()
            why = "; ".join(found or ["the server does not say what the role may do"])
            raise EngineNotStarted(f"PostgreSQL cannot be asked: {why}.")
        self._idle.append(first)

    def run(
        self,
        sql: str,
        parameters: Sequence[Parameter],
        *,
        timeout: float,
        maximum_rows: int,
    ) -> list[tuple[Cell, ...]]:
        """See `Engine.run`. Tables are named as in `tables`; places are `$1`, `$2`, ..."""
        return self._asked(
            sql, parameters, timeout, maximum_rows, lambda rows, _: sessions.cells(rows)
        )

    def columns(
        self,
        sql: str,
        parameters: Sequence[Parameter],
        *,
        timeout: float,
        maximum_rows: int,
    ) -> list[bytes]:
        """See `Engine.columns`."""
        return self._asked(
            sql,
            parameters,
            timeout,
            maximum_rows,
            lambda rows, width: sessions.columns(rows, width, BLOCK),
        )

    def _asked(
        self,
        sql: str,
        parameters: Sequence[Parameter],
        timeout: float,
        maximum_rows: int,
        read: Callable[[list[tuple[Any, ...]], int], Answer],
    ) -> Answer:
        deadline = time.monotonic() + timeout
        bounded = self._bounded(sql, maximum_rows)
        found: Answer | None = None
        reason, stale = "RUN_FAILED", True
        while stale:
            session, fresh = self._take(deadline)
            stale = False
            if given_up():
                self._give_back(session, good=True)  # nobody waits for it; the next one does
                raise error("DEADLINE")
            ending = Ending(session.abort)
            try:
                with while_wanted(ending.soon):
                    rows, width = session.select(
                        bounded, parameters, deadline=deadline, maximum_rows=maximum_rows
                    )
                found = read(rows, width) if len(rows) <= maximum_rows else None
            except Late:
                reason = "DEADLINE"
            except Stale:
                stale = not fresh
            except Failed:
                pass
            finally:
                ending.over()
                # Also for exceptions that nobody foresaw: no session is ever left as busy, and one
                # in which a run failed answers nobody else.
                self._give_back(session, good=found is not None)
        if found is None:
            # Raised here, outside the handlers, so that it has neither cause nor context.
            raise error(reason)
        return found

    def _bounded(self, sql: str, maximum_rows: int) -> str:
        """The statement over the versions' own tables; the server sends no more than is read."""
        used = [
            f"{quoted(name)} AS NOT MATERIALIZED (SELECT * FROM {relation})"
            for name, relation in self._names.items()
            if name in sql
        ]
        tables = f"WITH {', '.join(used)} " if used else ""
        return f'{tables}SELECT * FROM ({sql}) AS "bounded" LIMIT {maximum_rows + 1:d}'

    def close(self) -> None:
        """See `Engine.close`. What runs is cancelled at the server."""
        with self._changed:
            self._closed = True
            idle, self._idle = self._idle, []
            busy = tuple(self._busy)
            self._changed.notify_all()
        for session in busy:
            session.abort()  # the thread that waits for it closes it
        for session in idle:
            session.close()

    def _take(self, deadline: float) -> tuple[Connection, bool]:
        """A session, and whether it is a new one."""
        with self._changed:
            while True:
                if self._closed:
                    raise error("SHUTTING_DOWN")
                if self._idle:
                    session = self._idle.pop()
                    self._busy.add(session)
                    return session, False
                if len(self._busy) + self._opening < self._workers:
                    self._opening += 1
                    break
                left = deadline - time.monotonic()
                if left <= 0:
                    raise error("DEADLINE")
                self._changed.wait(left)
        return self._open(deadline), True

    def _open(self, deadline: float) -> Connection:
        opened: Connection | None = None
        closed = False
        try:
            with suppress(Unreachable):
                opened = Connection(self._conninfo, seconds=deadline - time.monotonic())
        finally:
            with self._changed:
                self._opening -= 1
                closed = self._closed
                if opened is not None and not closed:
                    self._busy.add(opened)
                self._changed.notify_all()
        if opened is None:
            raise error("DEADLINE" if time.monotonic() >= deadline else "RUN_FAILED")
        if closed:
            opened.close()
            raise error("SHUTTING_DOWN")
        return opened

    def _give_back(self, session: Connection, *, good: bool) -> None:
        with self._changed:
            self._busy.discard(session)
            good = good and not self._closed
            if good:
                self._idle.append(session)
            self._changed.notify_all()
        if not good:
            session.close()


def _opened(conninfo: str) -> Connection:
    session: Connection | None = None
    with suppress(Unreachable):
        session = Connection(conninfo)
    if session is None:
        raise EngineNotStarted(
            "PostgreSQL does not let this node in; see engine.connection, and the server's log."
        )
    return session


def _named(tables: Mapping[str, Path], schema: str) -> dict[str, str]:
    """The relation of each table; raises EngineNotStarted for one that another engine has."""
    for name, path in tables.items():
        if path.suffix != Kind.POSTGRESQL.suffix or not _VERSION.fullmatch(path.stem):
            raise EngineNotStarted(
                f"{name} was loaded for another engine; load it again for this one."
            )
    return {
        name: f"{quoted(schema)}.{quoted(table_name(path.stem))}" for name, path in tables.items()
    }
