"""What is computed and asked of one row: columns, arithmetic, conditions."""

from __future__ import annotations

from collections.abc import Mapping

from sqlglot import exp

from gateway.sql.literal import literal_of, number_of
from gateway.sql.source import Source
from landbridge.errors import LandbridgeError
from landbridge.levels import Level
from policies.contract import Column, Contract, Type
from policies.joined import column_in
from policies.question import (
    All,
    AnyOf,
    Arithmetic,
    Case,
    ColumnOf,
    Comparison,
    Constant,
    Expression,
    IsNull,
    Membership,
    Not,
    Operator,
    Predicate,
    Prefix,
    Relation,
)
from policies.review import MAXIMUM_DEPTH, visible

RELATIONS: dict[type[exp.Expr], tuple[Relation, Relation]] = {
    # The second is the one to use when the literal stands on the left.
    exp.EQ: (Relation.EQUAL, Relation.EQUAL),
    exp.NEQ: (Relation.NOT_EQUAL, Relation.NOT_EQUAL),
    exp.LT: (Relation.LESS, Relation.GREATER),
    exp.LTE: (Relation.LESS_OR_EQUAL, Relation.GREATER_OR_EQUAL),
    exp.GT: (Relation.GREATER, Relation.LESS),
    exp.GTE: (Relation.GREATER_OR_EQUAL, Relation.LESS_OR_EQUAL),
}
_OPERATORS: dict[type[exp.Expr], Operator] = {
    exp.Add: Operator.ADD,
    exp.Sub: Operator.SUBTRACT,
    exp.Mul: Operator.MULTIPLY,
}
CONDITIONS = (
    "comparisons of a column with a literal, IN, BETWEEN, IS NULL, LIKE 'prefix%', AND, OR, NOT"
)
ARITHMETIC = "Aggregate +, -, * and CASE WHEN over numeric columns and numbers."


class RowReader:
    """Reads what stands inside an aggregate or behind WHERE, for one caller.

    `tables` are the question's own contracts by the name by which it may qualify their columns.
    """

    def __init__(
        self,
        source: Source,
        contract: Contract,
        tables: Mapping[str, Contract],
        clearance: Level,
    ) -> None:
        self._source = source
        self._contract = contract
        self._tables = tables
        self._clearance = clearance

    def column(self, node: exp.Expr) -> Column:
        """A column that this caller may use."""
        try:
            return visible(self._contract, self.name(node), self._clearance)
        except LandbridgeError as refusal:
            raise self._source.placed(refusal, node) from None

    def name(self, node: exp.Expr) -> str:
        """A column's name, whether the caller may use it or not."""
        if not isinstance(node, exp.Column) or not isinstance(node.this, exp.Identifier):
            self._source.refuse(
                node, "A column's name is needed here.", f"Accepted are {CONDITIONS}."
            )
        self._source.closed(node, "this", "table", hint="Write column or table.column.")
        name, table = self._source.identifier(node.this), node.args.get("table")
        if table is None:
            return self._bare(node, name)
        part = self._tables.get(self._source.identifier(table))
        if part is None:
            self._source.refuse(
                node,
                "The column is not of the question's table.",
                f"Its tables are called {', '.join(self._tables)}.",
            )
        return column_in(part, name) if self._contract.parts else name

    def has(self, name: str) -> bool:
        """Whether a bare name is that of a column that this caller may use, or of the unit."""
        return bool(self._meant(name))

    def _bare(self, node: exp.Expr, name: str) -> str:
        """The column that a bare name means, where only one table has one that may be used."""
        if not self._contract.parts:
            return name
        found = self._meant(name)
        if len(found) > 1:
            self._source.refuse(
                node, f"Column {name} is in more than one table.",
                f"Write {' or '.join(found)}.",
            )  # fmt: skip
        return found[0] if found else name

    def _meant(self, name: str) -> list[str]:
        """The columns that a bare name can mean.

        What this caller may not use is not there: that it exists must not be told by refusing to
        choose.
        """
        if name == self._contract.unit:
            return [name]
        parts = self._contract.parts
        candidates = [column_in(part, name) for part in parts] if parts else [name]
        known = (self._contract.by_name.get(each) for each in candidates)
        return [
            column.name
            for column in known
            if column is not None
            and column.level <= min(self._clearance, Level.RESTRICTED)
            and column.name not in self._contract.hidden
        ]

    def expression(self, node: exp.Expr, depth: int = 1) -> Expression:
        """Arithmetic over numeric columns and numbers."""
        if depth > MAXIMUM_DEPTH:
            self._source.refuse(
                node, f"Arithmetic is nested more than {MAXIMUM_DEPTH} deep.", ARITHMETIC
            )
        operator = _OPERATORS.get(type(node))
        if operator is not None:
            self._source.closed(node, "this", "expression", "typed", "safe", hint=ARITHMETIC)
            return Arithmetic(
                operator,
                self.expression(node.this, depth + 1),
                self.expression(node.args["expression"], depth + 1),
            )
        match node:
            case exp.Paren():
                return self.expression(node.this, depth)
            case exp.Column():
                column = self.column(node)
                if column.type not in (Type.INTEGER, Type.NUMBER):
                    self._source.refuse(node, f"Column {column.name} is {column.type}.", ARITHMETIC)
                return ColumnOf(column.name)
            case exp.Literal() | exp.Neg():
                return Constant(number_of(self._source, node))
            case exp.Case():
                return self._case(node, depth)
            case _:
                self._source.refuse(
                    node, "This is no arithmetic of the question algebra.", ARITHMETIC
                )

    def _case(self, node: exp.Case, depth: int) -> Expression:
        hint = "Write CASE WHEN condition THEN number ELSE number END."
        self._source.closed(node, "ifs", "default", hint=hint)
        default = node.args.get("default")
        found: Expression | None = (
            None
            if default is None or isinstance(default, exp.Null)
            else self.expression(default, depth + 1)
        )
        for branch in reversed(node.args["ifs"]):
            self._source.closed(branch, "this", "true", hint=hint)
            then = self.expression(branch.args["true"], depth + 1)
            found = Case(self.predicate(branch.this), then, found)
        if found is None:
            self._source.refuse(node, "CASE has no WHEN.", hint)
        return found

    def predicate(self, node: exp.Expr) -> Predicate:
        """A condition."""
        match node:
            case exp.And() | exp.Or():
                kind = All if isinstance(node, exp.And) else AnyOf
                return kind((self.predicate(node.this), self.predicate(node.expression)))
            case exp.Not():
                return Not(self.predicate(node.this))
            case exp.Paren():
                return self.predicate(node.this)
            case exp.Column():
                return self._flag(node)
            case exp.Between():
                self._source.closed(node, "this", "low", "high", hint=f"Accepted are {CONDITIONS}.")
                column = self.column(node.this)
                low = literal_of(self._source, node.args["low"], column)
                high = literal_of(self._source, node.args["high"], column)
                return All(
                    (
                        Comparison(column.name, Relation.GREATER_OR_EQUAL, low),
                        Comparison(column.name, Relation.LESS_OR_EQUAL, high),
                    )
                )
            case exp.In():
                self._source.closed(
                    node, "this", "expressions", hint="IN takes a list of literals."
                )
                column = self.column(node.this)
                values = tuple(
                    literal_of(self._source, value, column) for value in node.expressions
                )
                return Membership(column.name, values)
            case exp.Is():
                return self._is(node)
            case exp.Like():
                return self._like(node)
            case exp.EQ() | exp.NEQ() | exp.LT() | exp.LTE() | exp.GT() | exp.GTE():
                return self._comparison(node)
            case _:
                self._source.refuse(
                    node,
                    "This is no condition of the question algebra.",
                    f"Accepted are {CONDITIONS}.",
                )

    def _comparison(self, node: exp.Binary) -> Comparison:
        self._source.closed(node, "this", "expression", hint=f"Accepted are {CONDITIONS}.")
        straight, mirrored = RELATIONS[type(node)]
        left, right = node.this, node.expression
        if isinstance(left, exp.Column) is isinstance(right, exp.Column):
            self._source.refuse(
                node, "A comparison has a column on one side and a literal on the other.",
                "Write column = literal.",
            )  # fmt: skip
        if isinstance(left, exp.Column):
            column = self.column(left)
            return Comparison(column.name, straight, literal_of(self._source, right, column))
        column = self.column(right)
        return Comparison(column.name, mirrored, literal_of(self._source, left, column))

    def _flag(self, node: exp.Column) -> Comparison:
        column = self.column(node)
        if column.type is not Type.BOOLEAN:
            self._source.refuse(node, f"Column {column.name} is {column.type}, not a condition.",
                         "Compare it with a literal.")  # fmt: skip
        return Comparison(column.name, Relation.EQUAL, literal=True)

    def _is(self, node: exp.Is) -> Predicate:
        self._source.closed(node, "this", "expression", hint="Write IS NULL or IS NOT NULL.")
        column = self.column(node.this)
        match node.expression:
            case exp.Null():
                return IsNull(column.name)
            case _:
                self._source.refuse(node, "IS takes NULL only.", "Write IS NULL or IS NOT NULL.")

    def _like(self, node: exp.Like) -> Predicate:
        self._source.closed(node, "this", "expression", "negate", hint="Write LIKE 'prefix%'.")
        column = self.column(node.this)
        pattern = node.expression
        if not isinstance(pattern, exp.Literal) or not pattern.is_string:
            self._source.refuse(node, "LIKE takes a quoted pattern.", "Write LIKE 'prefix%'.")
        start, end = pattern.this[:-1], pattern.this[-1:]
        if end != "%" or not start or any(sign in start for sign in "%_\\"):
            self._source.refuse(pattern, "LIKE takes a prefix only.", "Write LIKE 'prefix%'.")
        found = Prefix(column.name, start)
        return Not(found) if node.args.get("negate") else found
