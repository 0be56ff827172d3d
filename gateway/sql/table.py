"""Behind FROM: one table, tables of one department joined on their protected unit, or tables of
several departments linked on a key.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from sqlglot import exp

from gateway.sql.source import Source
from gateway.sql.words import JOIN_HINT
from landbridge.errors import LandbridgeError
from policies.contract import Contract
from policies.joined import joined

Resolve = Callable[[str, str | None], Contract]
"""The contract of a table for this caller, by table name and department (None: any); raises
NOT_AVAILABLE."""

Link = Callable[[Sequence[str]], Contract | None]
"""The contract of all tables resolved so far as they are linked on these columns; None where the
same departments serve all of them, so that each joins its own. Raises where neither will do."""


def never(key: Sequence[str]) -> Contract | None:
    """A `Link` for tables that are all one department's."""
    del key
    return None


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

    def __init__(self, source: Source, resolve: Resolve, link: Link) -> None:
        self._source = source
        self._resolve = resolve
        self._link = link

    def tables(self, statement: exp.Select) -> Tables:
        """All tables, and what they are joined to."""
        clause = statement.args.get("from_")
        if clause is None:
            self._source.refuse(
                statement, "The question names no table.", "Write FROM and a table."
            )
        contract, department, alias = self._table(clause.this)
        by_alias = {alias: contract}
        joins = statement.args.get("joins") or ()
        mixed: exp.Expr | None = None
        for join in joins:
            self._shaped(join)
            part, named, alias = self._table(join.this)
            mixed = mixed or (join.this if named != department else None)
            if alias in by_alias:
                self._source.refuse(
                    join.this, "Two tables have one name.", "Give one an alias, and join each once."
                )
            by_alias[alias] = part
        if joins:
            contract = self._together(joins, tuple(by_alias.values()), mixed)
        return Tables(contract, by_alias, None if mixed is not None else department)

    def _shaped(self, join: exp.Expr) -> None:
        self._source.closed(join, "this", "using", "kind", hint=JOIN_HINT)
        if join.args.get("kind") not in (None, "", "INNER"):
            self._source.refuse(join.this, "Only inner joins are accepted.", JOIN_HINT)

    def _together(
        self, joins: Sequence[exp.Expr], tables: Sequence[Contract], mixed: exp.Expr | None
    ) -> Contract:
        """The contract of all of them: linked on one key, or joined on the unit of each.

        `mixed` is the first table for which another department is named than before it, or none.
        """
        keys = [self._key(join) for join in joins]
        last = joins[-1].this
        try:
            linked = self._link(keys[0])
        except LandbridgeError as refusal:
            raise self._source.placed(refusal, last) from None
        if linked is not None:
            if any(sorted(key) != sorted(keys[0]) for key in keys):
                self._source.refuse(
                    last, "Tables of several departments are linked on one key.",
                    f"Write USING ({', '.join(keys[0])}) for each.",
                )  # fmt: skip
            return linked
        if mixed is not None:
            self._source.refuse(
                mixed, "Not every table is the same department's by what is written.",
                "Name a department before each of the tables, or before none.",
            )  # fmt: skip
        contract = tables[0]
        for join, key, part in zip(joins, keys, tables[1:], strict=True):
            # A contract without a unit is refused for its method, in the joining.
            if contract.unit is not None and key != [contract.unit]:
                names = join.args.get("using") or [join.this]
                self._source.refuse(
                    names[0],
                    "Tables are joined on their protected unit only.",
                    f"Write USING ({contract.unit}).",
                )
            try:
                contract = joined((*contract.each, part))
            except LandbridgeError as refusal:
                raise self._source.placed(refusal, join.this) from None
        return contract

    def _key(self, join: exp.Expr) -> list[str]:
        return [self._source.identifier(name) for name in join.args.get("using") or []]

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
