"""One connection to a PostgreSQL server; the owner of psycopg.

The extended protocol is used throughout, which takes one statement and never two, and results come
in binary, so that a double is the double that the server has. Where a statement runs too long the
server ends it (`statement_timeout`); where the server says nothing any more, the connection does.
"""

from __future__ import annotations

import math
import os
import socket
import threading
import time
from array import array
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

import psycopg
from psycopg.rows import tuple_row

from nodes.engines.engine import Cell, Parameter

CONNECT_SECONDS: Final = 10
GRACE: Final = 0.5
"""Seconds past its time that a statement is left to the server to end."""

_QUERYING: Final = (
    "-c default_transaction_read_only=on -c search_path= -c TimeZone=UTC -c DateStyle=ISO "
    "-c client_encoding=UTF8 -c standard_conforming_strings=on"
)
_LOADING: Final = (
    "-c search_path=pg_temp -c TimeZone=UTC -c DateStyle=ISO -c client_encoding=UTF8 "
    "-c standard_conforming_strings=on"
)


class Unreachable(Exception):
    """No connection: no such server, or it lets this role not in. Holds nothing."""


class Failed(Exception):
    """A statement did not run. Holds nothing: the server's words can quote the data."""


class Stale(Exception):
    """A session that is of no use any more, the server was restarted, say: nothing was run."""


class Late(Exception):
    """A statement was ended because its time was over."""


def parts(conninfo: str) -> dict[str, str] | None:
    """What a connection string says; None where it is none."""
    try:
        found = psycopg.conninfo.conninfo_to_dict(conninfo)
    except psycopg.Error:
        return None
    return {name: str(value) for name, value in found.items() if value is not None}


class Connection:
    """One session. One thread uses it at a time; `abort` may come from any.

    `conninfo` is libpq's; what it leaves out comes from libpq's own files and environment. Raises
    Unreachable.
    """

    def __init__(
        self, conninfo: str, *, loading: bool = False, seconds: float = CONNECT_SECONDS
    ) -> None:
        connection: psycopg.Connection[tuple[Any, ...]] | None = None
        # Raised below, where libpq's message is not in the exception's context.
        with suppress(psycopg.Error, ValueError):
            own = _LOADING if loading else _QUERYING
            options = psycopg.conninfo.conninfo_to_dict(conninfo).get("options") or ""
            complete = psycopg.conninfo.make_conninfo(
                conninfo,
                options=f"{options} {own}".strip(),
                application_name="landbridge",
                connect_timeout=max(1, min(CONNECT_SECONDS, math.ceil(seconds))),
            )
            connection = psycopg.Connection.connect(
                complete, autocommit=True, prepare_threshold=None, row_factory=tuple_row
            )
        if connection is None:
            raise Unreachable
        self._connection = connection
        self._aborted = threading.Event()

    def select(
        self, sql: str, parameters: Sequence[Parameter], *, deadline: float, maximum_rows: int
    ) -> tuple[list[tuple[Any, ...]], int]:
        """The rows of one SELECT with places `$1`, `$2`, ..., and how many columns they have.

        One row more than `maximum_rows` at most.
        In a transaction that reads only, after which the session is as it was. `deadline` is on
        `time.monotonic`'s scale. Raises Stale where nothing was run, Late, and Failed for all
        else; after any of them, only `close` makes sense.
        """
        left = deadline - time.monotonic()
        if left <= 0:
            raise Late
        ending = threading.Timer(left + GRACE, self.abort)
        ending.daemon = True
        ending.start()
        rows: list[tuple[Any, ...]] | None = None
        width, begun, late = 0, False, False
        try:
            milliseconds = max(1, int(left * 1000))
            self._connection.execute(
                f"BEGIN READ ONLY; SET LOCAL statement_timeout = {milliseconds:d}"
            )
            begun = True
            with psycopg.RawCursor(self._connection) as cursor:
                cursor.execute(sql.encode(), list(parameters), binary=True)
                width = len(cursor.description or ())
                rows = cursor.fetchmany(maximum_rows + 1)
            self._connection.execute("ROLLBACK")
            # Whatever a function of the statement left in the session is gone.
            self._connection.execute("DISCARD ALL")
        except psycopg.errors.QueryCanceled:
            # By its time, which the server counts in whole milliseconds; or by somebody there.
            late = time.monotonic() >= deadline - 0.05
        except (psycopg.Error, ValueError, OverflowError):
            pass
        finally:
            ending.cancel()
        if rows is None or self._aborted.is_set():
            # Raised here, outside the handlers, so that it has neither cause nor context.
            if late or time.monotonic() >= deadline:
                raise Late
            raise Failed if begun else Stale
        return rows, width

    def execute(self, sql: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """The rows of one statement of a load; raises Failed."""
        rows: list[tuple[Any, ...]] | None = None
        with suppress(psycopg.Error, ValueError), psycopg.RawCursor(self._connection) as cursor:
            cursor.execute(sql.encode(), list(parameters), binary=True)
            rows = cursor.fetchall() if cursor.description else []
        if rows is None:
            raise Failed
        return rows

    def described(self, relation: str) -> dict[str, str]:
        """The columns of a relation and the names of their types; raises Failed."""
        rows = self.execute(
            "SELECT attname::text, (SELECT CASE WHEN typtype = 'e' THEN 'enum' "
            "WHEN typtype = 'd' THEN (SELECT typname::text FROM pg_catalog.pg_type AS base "
            "WHERE base.oid = kind.typbasetype) ELSE typname::text END "
            "FROM pg_catalog.pg_type AS kind WHERE kind.oid = atttypid) "
            "FROM pg_catalog.pg_attribute WHERE attrelid = $1::text::regclass AND attnum > 0 "
            "AND NOT attisdropped ORDER BY attnum",
            [relation],
        )
        return {str(name): str(kind) for name, kind in rows}

    def abort(self) -> None:
        """Ends what runs: asks the server to, and hangs up."""
        self._aborted.set()
        with suppress(psycopg.Error):
            self._connection.cancel_safe(timeout=1)
        with suppress(OSError, psycopg.Error):  # it may have hung up itself
            descriptor = os.dup(self._connection.fileno())
            with socket.socket(fileno=descriptor) as line:
                line.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Ends the session."""
        self._connection.close()


def cells(rows: Iterable[tuple[Any, ...]]) -> list[tuple[Cell, ...]]:
    """The rows as an engine gives them; raises Failed for a value of another type."""
    return [tuple(map(_cell, row)) for row in rows]


def _cell(value: object) -> Cell:
    match value:
        case None | bool() | int() | float() | str():
            return value
        case Decimal() if value.is_finite() and value == int(value):
            return int(value)  # a sum of whole numbers is numeric
        case date() | datetime():
            return value.isoformat()
    raise Failed


def columns(rows: Sequence[tuple[Any, ...]], width: int, block: int) -> list[bytes]:
    """The rows by columns, as `Engine.columns` says; raises Failed for other values."""
    found: list[bytes] | None = None
    try:
        blocks, *numbers = zip(*rows, strict=True) if rows else [()] * width
        joined = b"".join(blocks)
        if len(joined) == len(rows) * block:
            found = [joined, *(array("q", each).tobytes() for each in numbers)]
    except (TypeError, ValueError, OverflowError):
        pass
    if found is None:
        raise Failed
    return found
