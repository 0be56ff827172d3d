"""What a Flight SQL client asks for, as values: commands, tickets, actions.

Each travels as a google.protobuf.Any whose type names a message of arrow.flight.protocol.sql.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeVar

from google.protobuf.any_pb2 import Any
from google.protobuf.message import DecodeError, Message

from landbridge.errors import LandbridgeError, error
from landbridge.v1 import flight_pb2

Kind = TypeVar("Kind", bound=Message)

PACKAGE: Final = "type.googleapis.com/arrow.flight.protocol.sql."


@dataclass(frozen=True, slots=True)
class Text:
    """Asks the text."""

    sql: str


@dataclass(frozen=True, slots=True)
class Statement:
    """Asks, or redeems, a statement whose handle or ticket the gateway gave out."""

    content: flight_pb2.FlightStatement


@dataclass(frozen=True, slots=True)
class Catalogs:
    """Lists catalogs."""


@dataclass(frozen=True, slots=True)
class Schemas:
    """Lists schemas, which are departments; None: all."""

    catalog: str | None
    pattern: str | None


@dataclass(frozen=True, slots=True)
class Tables:
    """Lists tables; None, or no type: all."""

    catalog: str | None
    schema_pattern: str | None
    table_pattern: str | None
    types: tuple[str, ...]
    include_schema: bool


@dataclass(frozen=True, slots=True)
class TableTypes:
    """Lists the types of tables."""


@dataclass(frozen=True, slots=True)
class ServerInfo:
    """Asks what the server can do; none: everything."""

    info: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Keys:
    """Lists keys, of which there are none: primary ones, or foreign ones."""

    primary: bool


@dataclass(frozen=True, slots=True)
class TypeInfo:
    """Lists the server's own types, of which it names none."""


Metadata = Catalogs | Schemas | Tables | TableTypes | ServerInfo | Keys | TypeInfo
Command = Text | Statement | Metadata

_FOREIGN: Final = frozenset(
    {"CommandGetExportedKeys", "CommandGetImportedKeys", "CommandGetCrossReference"}
)


def read_command(content: bytes) -> Command:
    """The command of a descriptor, or of a ticket.

    Raises NOT_SUPPORTED for one that is about writing, transactions or other languages, and
    INVALID_ARGUMENT for what is no command at all.
    """
    name, value = unpacked(content)
    match name:
        case "CommandStatementQuery":
            text = parsed(flight_pb2.FlightSqlText, value)
            return Text(query_of(text))
        case "CommandPreparedStatementQuery" | "TicketStatementQuery":
            return Statement(statement(parsed(flight_pb2.FlightSqlHandle, value).handle))
        case "CommandGetCatalogs":
            return Catalogs()
        case "CommandGetDbSchemas":
            schemas = parsed(flight_pb2.FlightSqlSchemas, value)
            return Schemas(_given(schemas, "catalog"), _given(schemas, "schema_pattern"))
        case "CommandGetTables":
            tables = parsed(flight_pb2.FlightSqlTables, value)
            return Tables(
                _given(tables, "catalog"),
                _given(tables, "schema_pattern"),
                _given(tables, "table_pattern"),
                tuple(tables.table_types),
                tables.include_schema,
            )
        case "CommandGetTableTypes":
            return TableTypes()
        case "CommandGetSqlInfo":
            return ServerInfo(tuple(parsed(flight_pb2.FlightSqlInfo, value).info))
        case "CommandGetPrimaryKeys":
            return Keys(primary=True)
        case _ if name in _FOREIGN:
            return Keys(primary=False)
        case "CommandGetXdbcTypeInfo":
            return TypeInfo()
        case _:
            raise unsupported()


def statement(handle: bytes) -> flight_pb2.FlightStatement:
    """What a handle of ours holds."""
    return parsed(flight_pb2.FlightStatement, handle)


def query_of(text: flight_pb2.FlightSqlText) -> str:
    """The text; raises NOT_SUPPORTED where it belongs to a transaction."""
    if text.transaction_id:
        raise unsupported()
    return text.query


def packed(name: str, message: Message) -> bytes:
    """The message as an Any of that name."""
    return Any(type_url=PACKAGE + name, value=message.SerializeToString()).SerializeToString()


def unpacked(content: bytes) -> tuple[str, bytes]:
    """Name and content of an Any; raises INVALID_ARGUMENT."""
    found = parsed(Any, content)
    if not found.type_url.startswith(PACKAGE):
        raise error("INVALID_ARGUMENT", "This is no command of Arrow Flight SQL.")
    return found.type_url.removeprefix(PACKAGE), found.value


def parsed(kind: type[Kind], content: bytes) -> Kind:
    """The message; raises INVALID_ARGUMENT."""
    try:
        return kind.FromString(content)
    except DecodeError:
        raise error("INVALID_ARGUMENT", "A message of Arrow Flight SQL cannot be read.") from None


def unsupported() -> LandbridgeError:
    """For everything of the protocol that is not about asking."""
    return error(
        "NOT_SUPPORTED",
        hint="Over Arrow Flight SQL there are questions and metadata: no updates, no transactions.",
    )


def _given(message: Message, name: str) -> str | None:
    return str(getattr(message, name)) if message.HasField(name) else None
