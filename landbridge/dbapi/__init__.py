"""The Python Database API 2.0 (PEP 249), for reading: computed answers behind the usual cursor.

    connection = landbridge.dbapi.connect("gateway.example:443", token=token, ca=ca,
                                          purpose="dpv:ResearchAndDevelopment")
    cursor = connection.cursor()
    cursor.execute("SELECT count(*) AS n FROM flights WHERE month = ?", [1])
    cursor.fetchall()
    cursor.answer.accuracy      # what PEP 249 has no name for: error bars, notes, cost, receipt

There is nothing to write and no transaction: `commit` and `rollback` do nothing. A question that is
asked again is free. Purpose and epsilon are properties of the connection, or stand in a statement's
comment: `/* purpose=dpv:Research, epsilon=0.5 */`.
"""

from __future__ import annotations

from typing import Final

from landbridge.dbapi.connection import Connection, connect
from landbridge.dbapi.cursor import Cursor
from landbridge.dbapi.failures import (
    DatabaseError,
    DataError,
    Error,
    IntegrityError,
    InterfaceError,
    InternalError,
    NotSupportedError,
    OperationalError,
    ProgrammingError,
    Warning,  # noqa: A004 - the name is PEP 249's
)
from landbridge.dbapi.kinds import (
    BINARY,
    DATETIME,
    NUMBER,
    ROWID,
    STRING,
    Binary,
    Date,
    DateFromTicks,
    Time,
    TimeFromTicks,
    Timestamp,
    TimestampFromTicks,
)

apilevel: Final = "2.0"
threadsafety: Final = 2
"""Threads may share a connection, not a cursor."""
paramstyle: Final = "qmark"

__all__ = [
    "BINARY",
    "DATETIME",
    "NUMBER",
    "ROWID",
    "STRING",
    "Binary",
    "Connection",
    "Cursor",
    "DataError",
    "DatabaseError",
    "Date",
    "DateFromTicks",
    "Error",
    "IntegrityError",
    "InterfaceError",
    "InternalError",
    "NotSupportedError",
    "OperationalError",
    "ProgrammingError",
    "Time",
    "TimeFromTicks",
    "Timestamp",
    "TimestampFromTicks",
    "Warning",
    "apilevel",
    "connect",
    "paramstyle",
    "threadsafety",
]
