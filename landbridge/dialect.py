"""The SQLAlchemy dialect `landbridge://`, read-only; the one file that needs sqlalchemy.

    engine = create_engine(
        "landbridge://gateway.example:443/?token_file=/run/token&ca=/etc/ca.pem"
        "&purpose=dpv:ResearchAndDevelopment&epsilon=0.5"
    )

Schemas are departments, tables their contracts; a table without a schema is the contract of all
departments that serve it. What reflection shows is the directory, as far as the caller may see it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, Final

try:
    from sqlalchemy import types
    from sqlalchemy.engine import Connection, default
    from sqlalchemy.engine.url import URL
    from sqlalchemy.exc import ArgumentError, NoSuchTableError
    from sqlalchemy.sql import compiler
except ImportError:
    raise ImportError(
        "The dialect needs SQLAlchemy, which is not installed: "
        "pip install 'landbridge[sqlalchemy]'."
    ) from None

from landbridge import dbapi
from landbridge.directory import Directory, OfferedContract

_TYPES: Final[dict[str, type[types.TypeEngine[Any]]]] = {
    "integer": types.BigInteger,
    "number": getattr(types, "Double", types.Float),
    "string": types.String,
    "boolean": types.Boolean,
    "date": types.Date,
    "timestamp": types.DateTime,
}
"""By the type of `OfferedColumn`, which is the contract's word."""
_PROPERTIES: Final = (
    "token_file", "ca", "key", "certificate", "purpose", "epsilon", "partial", "half_widths",
    "mixed_dates", "timeout",
)  # fmt: skip


class LandbridgeCompiler(compiler.SQLCompiler):
    """SQL in the shape that the question algebra reads."""

    def visit_column(self, column: Any, *arguments: Any, **named: Any) -> str:
        """A column by its name alone: in the algebra one table, or a join USING, is asked."""
        named["include_table"] = False
        return super().visit_column(column, *arguments, **named)


class LandbridgeDialect(default.DefaultDialect):
    """What SQLAlchemy asks of a database; whatever would write is refused by the gateway."""

    name = "landbridge"
    driver = "grpc"
    statement_compiler = LandbridgeCompiler
    default_paramstyle = "qmark"
    supports_statement_cache = True
    supports_alter = False
    supports_default_values = False
    supports_native_boolean = True
    supports_sane_rowcount = False
    supports_sane_multi_rowcount = False
    supports_comments = True
    inline_comments = True
    max_identifier_length = 128

    @classmethod
    def import_dbapi(cls) -> ModuleType:
        """The PEP 249 module."""
        return dbapi

    if not hasattr(default.DefaultDialect, "import_dbapi"):  # SQLAlchemy 1.4, which Superset has
        dbapi = import_dbapi  # type: ignore[assignment, unused-ignore]

    def create_connect_args(self, url: URL) -> tuple[list[Any], dict[str, Any]]:
        """`landbridge://[:TOKEN@]HOST:PORT/?PROPERTY=...`; raises ArgumentError for others.

        Properties: token_file, ca, key and certificate (files), purpose, epsilon, partial,
        half_widths, mixed_dates, timeout.
        """
        given = {key: str(value) for key, value in url.query.items()}
        unknown = sorted(given.keys() - set(_PROPERTIES))
        if unknown or url.database or url.username:
            what = ", ".join(unknown) or "a user or database name"
            raise ArgumentError(
                f"A landbridge URL does not know {what}; it knows {', '.join(_PROPERTIES)}, "
                "and a token in the place of a password."
            )
        if url.password and "token_file" in given:
            raise ArgumentError("A landbridge URL names a token or a token_file, not both.")
        named: dict[str, Any] = {"purpose": given.get("purpose", "")}
        if url.password:
            named["token"] = str(url.password)
        elif "token_file" in given:
            named["token"] = Path(given["token_file"])
        if "ca" in given:
            named["ca"] = Path(given["ca"])
        if "key" in given or "certificate" in given:
            named["certificate"] = tuple(Path(given.get(key, "")) for key in ("key", "certificate"))
        for key in ("epsilon", "timeout"):
            if key in given:
                named[key] = _number(key, given[key])
        for key in ("partial", "half_widths", "mixed_dates"):
            if key in given:
                named[key] = _truth(key, given[key])
        return [f"{url.host or 'localhost'}:{url.port or 443}"], named

    def initialize(self, connection: Connection) -> None:
        """Asks nothing: there is no version, schema or isolation level to find out."""
        del connection

    def do_rollback(self, dbapi_connection: Any) -> None:
        """Nothing to take back."""
        del dbapi_connection

    def do_commit(self, dbapi_connection: Any) -> None:
        """Nothing to keep."""
        del dbapi_connection

    def do_ping(self, dbapi_connection: Any) -> bool:
        """Whether the gateway answers; its directory is free of charge."""
        dbapi_connection.directory()
        return True

    def get_schema_names(self, connection: Connection, **_: Any) -> list[str]:
        """The departments that offer something."""
        members = _directory(connection).members
        return [each.department for each in members if any(c.queryable for c in each.contracts)]

    def get_table_names(
        self, connection: Connection, schema: str | None = None, **_: Any
    ) -> list[str]:
        """The contracts of a department; without a schema, of all together."""
        return sorted({contract.id for contract in _contracts(connection, schema)})

    def get_view_names(
        self, connection: Connection, schema: str | None = None, **_: Any
    ) -> list[str]:
        """None."""
        del connection, schema
        return []

    def has_table(
        self, connection: Connection, table_name: str, schema: str | None = None, **_: Any
    ) -> bool:
        """Whether the caller may know of it."""
        return table_name in self.get_table_names(connection, schema)

    def get_columns(
        self, connection: Connection, table_name: str, schema: str | None = None, **_: Any
    ) -> list[Any]:
        """The columns up to the caller's clearance, each with its description."""
        return [
            {
                "name": column.name,
                "type": _TYPES.get(column.type, types.String)(),
                "nullable": True,
                "default": None,
                "autoincrement": False,
                "comment": column.description or None,
            }
            for column in _contract(connection, table_name, schema).columns
        ]

    def get_table_comment(
        self, connection: Connection, table_name: str, schema: str | None = None, **_: Any
    ) -> Any:
        """What the owner says of the contract."""
        return {"text": _contract(connection, table_name, schema).description or None}

    def get_pk_constraint(
        self, connection: Connection, table_name: str, schema: str | None = None, **_: Any
    ) -> Any:
        """None: the protected unit can have several rows."""
        _contract(connection, table_name, schema)
        return {"constrained_columns": [], "name": None}

    def _nothing(
        self, connection: Connection, table_name: str, schema: str | None = None, **_: Any
    ) -> list[Any]:
        _contract(connection, table_name, schema)
        return []

    get_foreign_keys = get_indexes = _nothing
    get_unique_constraints = get_check_constraints = _nothing


def _directory(connection: Connection) -> Directory:
    dbapi_connection: Any = connection.connection.driver_connection
    found: Directory = dbapi_connection.directory()
    return found


def _contracts(connection: Connection, schema: str | None) -> Iterator[OfferedContract]:
    for member in _directory(connection).members:
        if schema in (None, member.department):
            # What only an officer answers for is no table to ask.
            yield from (contract for contract in member.contracts if contract.queryable)


def _contract(connection: Connection, table: str, schema: str | None) -> OfferedContract:
    for contract in _contracts(connection, schema):
        if contract.id == table:
            return contract
    raise NoSuchTableError(f"{schema}.{table}" if schema else table)


def _number(key: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ArgumentError(f"The property {key} of a landbridge URL is a number.") from None


def _truth(key: str, text: str) -> bool:
    if text not in ("true", "false"):
        raise ArgumentError(f"The property {key} of a landbridge URL is true or false.")
    return text == "true"
