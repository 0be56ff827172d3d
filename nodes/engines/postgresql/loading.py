"""A load within PostgreSQL: the role that loads makes the node's table of one that it can read.

Everything happens in one transaction, by one role that owns the node's schema; the role that
answers questions is given SELECT on what was made, and sees neither the source nor what is staged.
"""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from datetime import date, datetime
from typing import Any, Final

from nodes.dialects.dialect import Dialect
from nodes.dialects.postgresql import POSTGRESQL
from nodes.engines.engine import EngineNotStarted
from nodes.engines.found import Built, Rule, Violation
from nodes.engines.postgresql.casts import lossless
from nodes.engines.postgresql.connection import Connection, Failed, Unreachable
from nodes.engines.postgresql.engine import quoted, table_name
from nodes.engines.preparing import Unfinished, prepare
from policies.contract import Contract, Method, Type, Value

LOCK: Final = "5s"
"""How long an old table's removal waits for whoever still reads it; the next load tries again."""


class PostgreSQLLoader:
    """A `nodes.load_existing.Loader` for one load. Raises EngineNotStarted."""

    def __init__(self, conninfo: str, schema: str, reader: str) -> None:
        self._schema = schema
        self._reader = reader
        session: Connection | None = None
        with suppress(Unreachable):
            session = Connection(conninfo, loading=True)
        if session is None:
            raise EngineNotStarted(
                "PostgreSQL does not let the loading role in; see engine.loader, and the server's "
                "log."
            )
        self._session = session

    def build(self, contract: Contract, source: str, version: str, secret: bytes) -> Built:
        """Checks every row of the table or view `source`; makes the version's table, or nothing."""
        shop = _Workshop(self._session, source, self._schema, version)
        built = None
        with suppress(Unfinished, Failed):
            self._session.execute("BEGIN")
            found = prepare(contract, shop, secret)
            if not found.violations:
                shop.finish(contract, self._reader)
            built = found
        kept = built is not None and not built.violations
        try:
            self._session.execute("COMMIT" if kept else "ROLLBACK")
        except Failed:
            built = None
        return built or Built(0, (), (Violation("", Rule.UNFINISHED, 0),))

    def forget(self, contract_id: str, keep: Collection[str]) -> None:
        """Drops the contract's tables of other versions than these; one that is read stays."""
        rows = self._session.execute(
            "SELECT c.relname::text FROM pg_catalog.pg_class AS c "
            "JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace "
            "WHERE n.nspname = $1::text AND c.relkind = 'r' AND c.relname LIKE 'data\\_%' "
            "AND obj_description(c.oid, 'pg_class') = $2::text",
            [self._schema, contract_id],
        )
        kept = {table_name(version) for version in keep}
        self._session.execute(f"SET lock_timeout = '{LOCK}'")
        for (name,) in rows:
            if name not in kept:
                with suppress(Failed):
                    self._session.execute(f"DROP TABLE {quoted(self._schema)}.{quoted(name)}")

    def close(self) -> None:
        """Ends the session."""
        self._session.close()


class _Workshop:
    """PostgreSQL while it loads; see `nodes.engines.preparing.Workshop`."""

    def __init__(self, session: Connection, source: str, schema: str, version: str) -> None:
        self.dialect: Dialect = POSTGRESQL
        self._session = session
        self._source = ".".join(map(quoted, source.split(".")))
        self._table = f"{quoted(schema)}.{quoted(table_name(version))}"

    @property
    def source(self) -> str:
        return self._source

    def described(self) -> dict[str, str]:
        ((there,),) = self.rows(f"SELECT to_regclass({self.literal(self._source)}) IS NOT NULL")
        try:
            return self._session.described(self._source) if there else {}
        except Failed:
            raise Unfinished from None

    def keep(self, name: str, select: str) -> None:
        self.rows(f"CREATE TEMPORARY TABLE {quoted(name)} ON COMMIT DROP AS {select}")
        self.rows(f"ANALYZE {quoted(name)}")

    def view(self, name: str, select: str) -> None:
        self.keep(name, select)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        try:
            return self._session.execute(sql)
        except Failed:
            raise Unfinished from None

    def lossless(self, value: str, source: str, target: Type) -> str:
        return lossless(value, source, target)

    def literal(self, value: Value) -> str:
        match value:
            case bool():
                return "TRUE" if value else "FALSE"
            case int():
                return f"{value}::bigint"
            case float():
                return f"'{value!r}'::double precision"
            case str():
                escaped = value.replace("'", "''")
                return f"'{escaped}'::text"
            case datetime():
                return f"'{value.isoformat(sep=' ')}'::timestamp"
            case date():
                return f"'{value.isoformat()}'::date"

    def number(self, order: str) -> str:
        return f"row_number() OVER (ORDER BY {order}) - 1"

    def hide(self, outer: str, inner: str) -> None:
        self.keep("secret", f"SELECT '{outer}'::text AS o, '{inner}'::text AS i")

    def hashed(self, message: str) -> str:
        def digest(of: str) -> str:
            return f"encode(sha256(convert_to({of}, 'UTF8')), 'hex')"

        inner = digest(f"concat((SELECT i FROM secret), {message})")
        whole = digest(f"concat((SELECT o FROM secret), {inner})")
        return f"CAST(CAST('x' || substr({whole}, 1, 8) AS bit(32)) AS bigint)"

    def write(self, select: str, first: str) -> None:
        if not first:
            self.rows(f"CREATE TABLE {self._table} AS {select}")
            return
        # What counts comes first, so that a block range index skips the rest.
        self.rows(f"CREATE TABLE {self._table} AS {select} WHERE {first}")
        self.rows(f"INSERT INTO {self._table} {select} WHERE NOT ({first})")
        self.rows(f'CREATE INDEX ON {self._table} USING brin ("__rank")')

    def read(self, select: str) -> list[tuple[Any, ...]]:
        return self.rows(select.format(table=self._table))

    def finish(self, contract: Contract, reader: str) -> None:
        """Says whose it is, and lets the answering role read it."""
        if contract.unit is not None and contract.disclosure.method is not Method.UNPROTECTED:
            # Handlers look one subject up; a hash has room for texts of any length.
            self.rows(f"CREATE INDEX ON {self._table} USING hash ({quoted(contract.unit)})")
        self.rows(f"ANALYZE {self._table}")
        self.rows(f"COMMENT ON TABLE {self._table} IS '{contract.id}'")
        self.rows(f"REVOKE ALL ON {self._table} FROM PUBLIC")
        self.rows(f"GRANT SELECT ON {self._table} TO {quoted(reader)}")
