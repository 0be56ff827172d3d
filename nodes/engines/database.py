"""A DuckDB database, opened in one of the two ways in which we ever open one.

The only importer of DuckDB. It imports the extension module, not the package around it: that
package adds the data-frame and expression interfaces, 13 MB and 0.1 s to every worker.
The node's server process must not import this file; workers and the loader do.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from types import MappingProxyType
from typing import Any, Final

import _duckdb

Connection = _duckdb.DuckDBPyConnection
Error = _duckdb.Error
OutOfMemory = _duckdb.OutOfMemoryException
"""Also where there is no room to spill."""

BLOCK = 16
"""Bytes of the keys that `select_columns` gives; see `landbridge.protocols.pseudonyms`."""

MOST_KEPT: Final = 256
LONGEST_KEPT: Final = 16_384
"""Texts that are kept parsed, and their characters."""

TABLE = "data"
"""The name of the one table inside a department's file."""

VIEW = f"SELECT *, rowid AS __row FROM {{file}}.main.{TABLE}"
"""What a statement finds under a table's name: the file's columns, and `__row`, the place of a row
in the file from 0. A range of places reads the row groups that it lies in and no others."""

_NO_EXTENSIONS = {
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "allow_community_extensions": False,
    "python_enable_replacements": False,
}

_SEALING = (
    # The order matters: file systems can be disabled only once the tables are attached (attached
    # files stay readable through their open handles), and the lock comes last.
    "SET enable_external_access = false",
    "SET disabled_filesystems = 'LocalFileSystem'",
    "SET lock_configuration = true",
)


class Unopened(Exception):
    """A table's file could not be opened; holds the table's name and nothing else."""

    def __init__(self, table: str) -> None:
        super().__init__(table)
        self.table = table


class NotOneSelect(Exception):
    """The text is not exactly one SELECT."""


def quoted(identifier: str) -> str:
    """The identifier in double quotes, whatever it contains."""
    return '"' + identifier.replace('"', '""') + '"'


def text(value: str) -> str:
    """The value as a SQL string literal, for the statements that take no parameters."""
    return "'" + value.replace("'", "''") + "'"


def open_sealed(
    tables: Mapping[str, str],
    *,
    memory_bytes: int,
    threads: int,
    keys: Mapping[str, str] = MappingProxyType({}),
) -> Connection:
    """An in-memory database in which each table name reads from its file, and nothing else opens.

    No file, network, extension, Python variable or setting can be reached from SQL afterwards, nor
    the `keys` of files that are encrypted, by table.
    Raises `Unopened` with the first table whose file is missing, locked or damaged.
    """
    connection = _duckdb.connect(
        ":memory:",
        config={
            **_NO_EXTENSIONS,
            "threads": threads,
            # The pool for asynchronous reads would be eight more threads per worker; local files
            # do not need it.
            "async_threads": 0,
            "memory_limit": f"{memory_bytes}B",
            # Set when opening: later it counts as changing where files go. Empty: no spilling.
            "temp_directory": "",
        },
    )
    for number, (name, path) in enumerate(sorted(tables.items())):
        file = quoted(f"file_{number}")
        opened = False
        try:
            connection.execute(attached(path, f"file_{number}", keys.get(name, "")))
            connection.execute(f"CREATE VIEW {quoted(name)} AS {VIEW.format(file=file)}")
            opened = True
        except Error:
            pass  # raised below, where DuckDB's message is not in the exception's context
        if not opened:
            connection.close()
            raise Unopened(name)
    for statement in _SEALING:
        connection.execute(statement)
    return connection


class Parsed:
    """Statements of one connection, parsed once: a department's handlers are asked again and again.

    What is kept is what a text says by itself, before any table is looked at: it is planned anew at
    every run. Not for several threads, and never for a stranger's code to reach: a function of a
    handler gets none, so that it finds nothing of an earlier call.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._known: OrderedDict[str, Any] = OrderedDict()
        (self.begin,) = connection.extract_statements("BEGIN TRANSACTION READ ONLY")

    def select(self, sql: str) -> Any:
        """The one SELECT that the text is; raises `NotOneSelect`, or DuckDB's error."""
        found = self._known.get(sql)
        if found is not None:
            self._known.move_to_end(sql)
            return found
        statements = self._connection.extract_statements(sql)
        if len(statements) != 1 or statements[0].type != _duckdb.StatementType.SELECT:
            raise NotOneSelect
        if len(sql) <= LONGEST_KEPT:
            self._known[sql] = statements[0]
            if len(self._known) > MOST_KEPT:
                self._known.popitem(last=False)
        return statements[0]


def select(
    connection: Connection,
    sql: str,
    parameters: Sequence[object],
    *,
    maximum_rows: int,
    parsed: Parsed | None = None,
) -> list[tuple[object, ...]] | None:
    """The rows of one SELECT, or None if there are more than `maximum_rows`.

    Runs on a cursor of its own and in a read-only transaction: variables, prepared statements and
    temporary tables of an earlier run do not exist in it. `parsed` remembers texts of this
    connection. Raises `NotOneSelect`, or DuckDB's error.
    """
    parsed = parsed or Parsed(connection)
    statement = parsed.select(sql)
    cursor = connection.cursor()
    try:
        cursor.execute(parsed.begin)
        cursor.execute(statement, parameters)
        rows: list[tuple[object, ...]] = cursor.fetchmany(maximum_rows + 1)
        return rows if len(rows) <= maximum_rows else None
    finally:
        cursor.close()


def select_columns(
    connection: Connection, sql: str, parameters: Sequence[object], *, maximum_rows: int
) -> tuple[int, list[bytes]] | None:
    """One SELECT by columns: how many rows, and each column's values one after the other.

    The first column is a BLOB of `BLOCK` bytes, the others are whole numbers, 8 bytes each in this
    machine's order, none of them NULL. None where there are more than `maximum_rows`. Runs and
    raises as `select` does, and ValueError for other columns.
    """
    cursor = connection.cursor()
    try:
        statements = cursor.extract_statements(sql)
        if len(statements) != 1 or statements[0].type != _duckdb.StatementType.SELECT:
            raise NotOneSelect
        cursor.execute("BEGIN TRANSACTION READ ONLY")
        # Plain arrays of numpy's; what the published types say beside them does not occur.
        found: list[Any] = list(cursor.execute(statements[0], parameters).fetchnumpy().values())
        blocks = b"".join(found[0].tolist())
        rows = len(found[0])
        if len(blocks) != rows * BLOCK:
            raise ValueError
        numbers = [column.astype("int64", casting="safe", copy=False) for column in found[1:]]
        if any(getattr(column, "mask", False) is not False for column in numbers):
            raise ValueError
        return (
            (rows, [blocks, *(each.tobytes() for each in numbers)])
            if rows <= maximum_rows
            else None
        )
    finally:
        cursor.close()


def attached(path: str, name: str, key: str) -> str:
    """The statement that opens a file to be read, under that name; encrypted where it has a key."""
    more = f", ENCRYPTION_KEY {text(key)}" if key else ""
    return f"ATTACH {text(path)} AS {quoted(name)} (READ_ONLY{more})"


def open_for_loading(path: str, *, spill: str, key: str = "") -> Connection:
    """A new database file to write into; `spill` is an own, empty folder for temporary data.

    With a `key` the file is encrypted, and nothing is spilled: DuckDB's own key for temporary files
    would be a weak one. The key is for this file alone, which is what makes DuckDB's nonces do
    (decision 0066).
    """
    place = spill if not key else ""
    connection = _duckdb.connect(
        ":memory:" if key else path, config={**_NO_EXTENSIONS, "temp_directory": place}
    )
    if key:
        connection.execute("SET force_mbedtls_unsafe = 'true'")
        connection.execute(f"ATTACH {text(path)} AS encrypted (ENCRYPTION_KEY {text(key)})")
        connection.execute("USE encrypted")
    connection.execute("SET TimeZone = 'UTC'")  # what text without an offset means
    # The order of a file means nothing to us, and keeping it takes up to twice the time and memory.
    connection.execute("SET preserve_insertion_order = false")
    return connection


def opens(path: str, key: str) -> bool:
    """Whether the file is a DuckDB file that the key opens, or that has none where it is empty."""
    connection = _duckdb.connect(":memory:", config={**_NO_EXTENSIONS})
    try:
        connection.execute(attached(path, "file", key))
    except Error:
        return False
    finally:
        connection.close()
    return True


def open_for_collecting(path: str, *, spill: str, memory_bytes: int) -> Connection:
    """The file of collected records, read and written by one process; `spill` as above.

    A commit is on disk when it returns: DuckDB syncs its write-ahead log.
    """
    if not os.path.exists(path):  # noqa: PTH110 - pathlib costs a megabyte
        _begin_file(path)
    connection = _duckdb.connect(
        path,
        config={
            **_NO_EXTENSIONS,
            "temp_directory": spill,
            "memory_limit": f"{memory_bytes}B",
            # More would help an export alone, and take from whoever asks questions.
            "threads": 1,
        },
    )
    connection.execute("SET TimeZone = 'UTC'")
    return connection


def _begin_file(path: str) -> None:
    """An empty file, whole or not there: DuckDB writes its head in steps, and opens no half of one.

    What an earlier attempt left is removed. On disk, with its name, when this returns.
    """
    unfinished = f"{path}.new"
    for left in (unfinished, f"{unfinished}.wal"):
        with suppress(FileNotFoundError):
            os.unlink(left)  # noqa: PTH108
    _duckdb.connect(unfinished, config={**_NO_EXTENSIONS}).close()
    _sync(unfinished)
    os.replace(unfinished, path)  # noqa: PTH105
    _sync(os.path.dirname(path))  # noqa: PTH120


def _sync(path: str) -> None:
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    finally:
        os.close(file)
