"""Behind FROM: one table, or tables of one department joined on their protected unit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sqlglot import exp

from gateway.sql.source import Source
from gateway.sql.words import JOIN_HINT
from landbridge.errors import LandbridgeError
from policies.contract import Contract
from policies.joined import joined

Resolve = Callable[[str, str | None], Contract]
"""The contract of a table for this caller, by table name and department (None: any); raises
NOT_AVAILABLE, and for a second table INVALID_QUESTION where others serve it than the first."""


@dataclass(frozen=True, slots=True)
class Tables:
    """What a question is asked of.

    `contract` is that of the table or of the join, `by_alias` are the owner's own contracts by the
    names that the text gives them; `department` is None where none is named.
    """

    contract: Contract
    by_alias: Mapping[str, Contract]
    department: str | None


class TableReader:
    """Reads FROM and JOIN."""

    def __init__(self, source: Source, resolve: Resolve) -> None:
        self._source = source
        self._resolve = resolve

    def tables(self, statement: exp.Select) -> Tables:
        """All tables, and what they are joined to."""
        clause = statement.args.get("from_")
        if clause is None:
            self._source.refuse(
                statement, "The question names no table.", "Write FROM and a table."
            )
        contract, department, alias = self._table(clause.this)
        by_alias = {alias: contract}
        for join in statement.args.get("joins") or ():
            part, named, alias = self._joined(join, contract)
            if named != department:
                self._source.refuse(
                    join.this, "Tables linked across departments are not answered yet.",
                    "Name one department before each of the tables, or none.",
                )  # fmt: skip
            if alias in by_alias:
                self._source.refuse(
                    join.this, "Two tables have one name.", "Give one an alias, and join each once."
                )
            by_alias[alias] = part
            try:
                contract = joined((*contract.each, part))
            except LandbridgeError as refusal:
                raise self._source.placed(refusal, join.this) from None
        return Tables(contract, by_alias, department)

    def _joined(self, join: exp.Expr, before: Contract) -> tuple[Contract, str | None, str]:
        """One JOIN: inner, and on the unit of the tables before it."""
        self._source.closed(join, "this", "using", "kind", hint=JOIN_HINT)
        if join.args.get("kind") not in (None, "", "INNER"):
            self._source.refuse(join.this, "Only inner joins are accepted.", JOIN_HINT)
        found = self._table(join.this)
        names = join.args.get("using") or []
        # A contract without a unit is refused for its method, in the joining.
        if before.unit is not None and [self._source.identifier(name) for name in names] != [
            before.unit
        ]:
            self._source.refuse(
                names[0] if names else join.this,
                "Tables are joined on their protected unit only.",
                f"Write USING ({before.unit}).",
            )
        return found

    def _table(self, table: exp.Expr) -> tuple[Contract, str | None, str]:
        """A table's contract, the department that is named, and what the text calls the table."""
        if not isinstance(table, exp.Table) or not isinstance(table.this, exp.Identifier):
            self._source.refuse(table, "FROM takes tables of the directory.", "Write FROM table.")
        if self._source.text_at(table.this) in ("'", "?"):
            self._source.refuse(table, "FROM takes a name, not a text.", "Write FROM table.")
        self._source.closed(
            table, "this", "db", "alias", hint="FROM takes tables of the directory."
        )
        name = self._source.identifier(table.this)
        alias = name
        given = table.args.get("alias")
        if given is not None:
            self._source.closed(given, "this", hint="A table's alias is one name.")
            alias = self._source.identifier(given.this)
        database = table.args.get("db")
        department = None if database is None else self._source.identifier(database)
        try:
            return self._resolve(name, department), department, alias
        except LandbridgeError as refusal:
            raise self._source.placed(refusal, table) from None
