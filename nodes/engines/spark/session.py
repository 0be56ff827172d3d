"""One session at a Spark Connect server; the owner of pyspark.

The client plans nothing: a statement with named places goes to the server, and Arrow comes back. A
statement that runs too long is interrupted at the server by its tag, as is all that runs when the
session is closed.
"""

from __future__ import annotations

import os
import sys
import threading
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

import grpc

from nodes.engines.engine import Cell, Parameter


@contextmanager
def _as_a_program() -> Iterator[None]:
    """The client takes a process without a main file (`python -c`, a worker of a test runner) for
    one that runs its doctests, and ends it where Spark itself is not installed.
    """
    main = sys.modules["__main__"]
    if hasattr(main, "__file__"):
        yield
        return
    main.__file__ = "-c"
    try:
        yield
    finally:
        del main.__file__


# Nothing of a department's questions is reported anywhere.
os.environ.setdefault("SPARK_CONNECT_PROGRESS_BAR_ENABLED", "false")
with _as_a_program(), warnings.catch_warnings():
    # That data frames of pandas 3 are not yet supported: none is used.
    warnings.simplefilter("ignore")
    from pyspark.errors import PySparkException
    from pyspark.logger import PySparkLogger
    from pyspark.sql.connect.client.retries import DefaultPolicy
    from pyspark.sql.connect.session import SparkSession

# What the server says of a statement that failed quotes the data; the client would print it.
for _talkative in ("SQLQueryContextLogger", "DataFrameQueryContextLogger"):
    PySparkLogger.getLogger(_talkative).disabled = True

GRACE: Final = 1.0
"""Seconds past its time that a statement is left to the server to interrupt."""
CONNECT_SECONDS: Final = 60.0

_SETTINGS: Final = {
    "spark.sql.ansi.enabled": "true",
    "spark.sql.ansi.doubleQuotedIdentifiers": "true",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.timestampType": "TIMESTAMP_LTZ",
    # A file's columns are what they say they are.
    "spark.sql.parquet.inferTimestampNTZ.enabled": "true",
    "spark.sql.parquet.datetimeRebaseModeInRead": "CORRECTED",
    "spark.sql.parquet.int96RebaseModeInRead": "CORRECTED",
}


class Unreachable(Exception):
    """No session: no such server, or it lets this node not in. Holds nothing."""


class Failed(Exception):
    """A statement did not run. Holds nothing: the server's words can quote the data."""


class Late(Exception):
    """A statement was ended because its time was over."""


class Outcome:
    """What became of a call on a thread of its own, which may never come back."""

    def __init__(self) -> None:
        self.value: Any = None
        self.good = False
        self.over = threading.Event()


class Session:
    """A session, for many threads. `remote` is a Spark Connect address, `sc://host:port/;...`.

    Raises Unreachable.
    """

    def __init__(self, remote: str, *, token: str = "", seconds: float = CONNECT_SECONDS) -> None:
        address, _, terms = remote.partition("/;")
        listed = [term for term in (*terms.split(";"), f"token={token}" if token else "") if term]
        complete = f"{address.rstrip('/')}/;{';'.join(listed)}"

        def opened() -> SparkSession:
            session = SparkSession.builder.remote(complete).create()
            # Its own patience is ten minutes, also at the end of this process.
            patience = DefaultPolicy(max_retries=3, initial_backoff=50, max_backoff=500)
            session.client.set_retry_policies([patience])
            for name, value in _SETTINGS.items():
                session.conf.set(name, value)
            return session

        outcome = _apart(opened)
        outcome.over.wait(seconds)
        if not outcome.good:
            raise Unreachable
        self._session: Any = outcome.value

    def select(
        self,
        sql: str,
        parameters: Sequence[Parameter],
        *,
        tag: str,
        deadline: float,
        maximum_rows: int,
    ) -> Any:
        """The rows of one SELECT with places `:p1`, `:p2`, ..., as an Arrow table.

        One row more than `maximum_rows` at most. `deadline` is on `time.monotonic`'s scale; `tag`
        is the run's own, by which `interrupt` finds it. Raises Late, and Failed for all else.
        """
        values = {f"p{number}": value for number, value in enumerate(parameters, start=1)}

        def ran() -> Any:
            self._session.addTag(tag)
            return self._session.sql(sql, args=values).limit(maximum_rows + 1).toArrow()

        left = deadline - time.monotonic()
        if left <= 0:
            raise Late
        outcome = _apart(ran)
        if not outcome.over.wait(left):
            self.interrupt(tag).over.wait(GRACE)
            outcome.over.wait(GRACE)
            raise Late
        if not outcome.good:
            raise Failed
        return outcome.value

    def interrupt(self, tag: str) -> Outcome:
        """Ends what runs under that tag at the server; does not wait for it."""
        return _apart(lambda: self._session.interruptTag(tag))

    def show(self, name: str, path: str) -> None:
        """Parquet files are the table of that name in this session; raises Failed."""
        with failing():
            self._session.read.parquet(path).createOrReplaceTempView(name)

    # For loads.

    def described(self, path: str) -> dict[str, str]:
        """The columns of Parquet files and their types; raises Failed."""
        with failing():
            return dict(self._session.read.parquet(path).dtypes)
        raise Failed

    def view(self, name: str, sql: str) -> None:
        """A SELECT is the table of that name, computed when it is read; raises Failed."""
        with failing():
            self._session.sql(sql).createOrReplaceTempView(name)

    def clear(self, path: str) -> None:
        """Takes the rows away that were written there, on any file system; raises Failed."""
        with failing():
            nothing = self._session.sql("SELECT 1 AS nothing WHERE false")
            nothing.write.mode("overwrite").parquet(path)

    def values(self, name: str, row: Sequence[str], columns: Sequence[str]) -> None:
        """One row of texts as a table, which no plan shows; raises Failed."""
        with failing():
            schema = ", ".join(f"{column} STRING" for column in columns)
            self._session.createDataFrame([tuple(row)], schema).createOrReplaceTempView(name)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """The rows of a SELECT of a load; raises Failed."""
        with failing():
            return _rows(self._session.sql(sql).toArrow())
        raise Failed

    def write(self, sql: str, path: str) -> None:
        """The rows of a SELECT, as Parquet files beside those that are there; raises Failed."""
        with failing():
            self._session.sql(sql).write.mode("append").parquet(path)

    def close(self) -> None:
        """Interrupts what runs, and ends the session."""

        def ended() -> None:
            self._session.interruptAll()
            self._session.stop()

        _apart(ended).over.wait(2 * GRACE)


@contextmanager
def failing() -> Iterator[None]:
    """Whatever the server says is Failed, without its words."""
    failed = False
    try:
        yield
    except (PySparkException, grpc.RpcError, ValueError, TypeError):
        failed = True
    if failed:
        raise Failed


def _apart(call: Any) -> Outcome:
    """Runs it on a thread of its own, so that nobody waits for a server that says nothing."""
    outcome = Outcome()

    def run() -> None:
        with suppress(Exception):
            outcome.value = call()
            outcome.good = True
        outcome.over.set()

    threading.Thread(target=run, name="spark", daemon=True).start()
    return outcome


def cells(table: Any) -> list[tuple[Cell, ...]]:
    """An Arrow table's rows as an engine gives them; raises Failed for a value of another type."""
    return [tuple(map(_cell, row)) for row in _rows(table)]


def _rows(table: Any) -> list[tuple[Any, ...]]:
    """By place: names may occur twice."""
    columns = [table.column(place).to_pylist() for place in range(table.num_columns)]
    return list(zip(*columns, strict=True))


def _cell(value: object) -> Cell:
    match value:
        case None | bool() | int() | float() | str():
            return value
        case Decimal() if value.is_finite() and value == int(value):
            return int(value)
        case date() | datetime():
            return value.isoformat()
    raise Failed


def columns(table: Any, block: int) -> list[bytes]:
    """An Arrow table's columns, as `Engine.columns` says; raises Failed for other values."""
    found: list[bytes] | None = None
    with suppress(TypeError, ValueError):
        blocks = b"".join(table.column(0).to_pylist())
        numbers = [table.column(place) for place in range(1, table.num_columns)]
        if len(blocks) == table.num_rows * block and not any(each.null_count for each in numbers):
            arrays = [each.to_numpy().astype("int64", casting="safe") for each in numbers]
            found = [blocks, *(each.tobytes() for each in arrays)]
    if found is None:
        raise Failed
    return found
