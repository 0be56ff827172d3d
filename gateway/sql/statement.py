"""One SELECT: its clauses and what it puts out."""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

from gateway.presentation import Key, Mean, Number, Ordering, Output, Presentation, Reading
from gateway.sql.row import RowReader
from gateway.sql.source import Source
from landbridge.errors import LandbridgeError
from landbridge.levels import Level
from policies.canonical import canonical, canonical_measure
from policies.contract import Contract
from policies.question import ColumnOf, Count, Measure, Question, Sum, Units

MAXIMUM_LIMIT = 1_000_000

Resolve = Callable[[str, str | None], Contract]
"""The contract of a table for this caller, by table name and department (None: any); raises
NOT_AVAILABLE."""

AGGREGATES = "count(*), count(column), count(DISTINCT unit), sum(...) and avg(...)"


class StatementReader:
    """Reads one statement; every method takes a syntax node and gives a value of the algebra."""

    def __init__(self, source: Source, resolve: Resolve, clearance: Level) -> None:
        self._source = source
        self._resolve = resolve
        self._clearance = clearance

    def reading(self, statement: exp.Expr) -> Reading:
        """The whole statement."""
        if not isinstance(statement, exp.Select):
            self._source.refuse(
                statement, "Only SELECT is accepted.", "Write one SELECT of aggregates."
            )
        self._source.closed(
            statement, "expressions", "from_", "where", "group", "order", "limit",
            hint="A question is SELECT ... FROM table [WHERE] [GROUP BY] [ORDER BY] [LIMIT].",
        )  # fmt: skip
        self._contract, department, alias = self._from(statement)
        self._row = RowReader(self._source, self._contract, alias, self._clearance)
        group_by = self._group_by(statement.args.get("group"))
        outputs = tuple(
            self._output(node, group_by, place)
            for place, node in enumerate(statement.expressions, start=1)
        )
        measures = [measure for output in outputs for measure in _measures_of(output)]
        if not measures:
            self._source.refuse(
                statement,
                "The question selects no aggregate; rows never leave a department.",
                f"Accepted are {AGGREGATES}.",
            )
        names = [output.name for output in outputs]
        if len(set(names)) < len(names):
            self._source.refuse(
                statement, "Two output columns have one name.", "Give one an alias."
            )
        where = statement.args.get("where")
        predicate = None if where is None else self._row.predicate(where.this)
        question = Question(self._contract.id, tuple(measures), group_by, predicate)
        presentation = Presentation(
            outputs,
            self._order(statement.args.get("order"), statement.expressions, outputs),
            self._limit(statement.args.get("limit")),
        )
        return Reading(canonical(question, self._contract), presentation, department)

    def _from(self, statement: exp.Select) -> tuple[Contract, str | None, str]:
        clause = statement.args.get("from_")
        if clause is None:
            self._source.refuse(
                statement, "The question names no table.", "Write FROM and a table."
            )
        table = clause.this
        if not isinstance(table, exp.Table) or not isinstance(table.this, exp.Identifier):
            self._source.refuse(
                table, "FROM takes one table of the directory.", "Write FROM table."
            )
        if self._source.text_at(table.this) == "'":
            self._source.refuse(table, "FROM takes a name, not a text.", "Write FROM table.")
        self._source.closed(
            table, "this", "db", "alias", hint="FROM takes one table of the directory."
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

    def _group_by(self, group: exp.Expr | None) -> tuple[str, ...]:
        if group is None:
            return ()
        self._source.closed(group, "expressions", hint="GROUP BY takes names of columns.")
        names = []
        for node in group.expressions:
            if not isinstance(node, exp.Column):
                self._source.refuse(node, "GROUP BY takes names of columns.", "Name the column.")
            names.append(self._row.column(node).name)
        if len(set(names)) < len(names):
            self._source.refuse(group, "A column is grouped by twice.", "Name it once.")
        return tuple(names)

    def _order(
        self, order: exp.Expr | None, nodes: list[exp.Expr], outputs: tuple[Output, ...]
    ) -> tuple[Ordering, ...]:
        if order is None:
            return ()
        self._source.closed(order, "expressions", hint="ORDER BY takes output columns.")
        spelt = [(node.this if isinstance(node, exp.Alias) else node).sql() for node in nodes]
        found = []
        for node in order.expressions:
            if not isinstance(node, exp.Ordered):
                self._source.refuse(node, "ORDER BY takes output columns.", "Name one.")
            self._source.closed(
                node, "this", "desc", "nulls_first", hint="ORDER BY takes output columns."
            )
            found.append(
                Ordering(
                    self._ordered(node.this, spelt, outputs),
                    bool(node.args.get("desc")),
                    bool(node.args.get("nulls_first")),
                )
            )
        return tuple(found)

    def _ordered(self, node: exp.Expr, spelt: list[str], outputs: tuple[Output, ...]) -> int:
        if isinstance(node, exp.Column) and not node.args.get("table"):
            name = self._source.identifier(node.this)
            for place, output in enumerate(outputs):
                if output.name == name:
                    return place
        if (
            isinstance(node, exp.Literal)
            and not node.is_string
            and node.this.isdigit()
            and len(node.this) < 4
        ):
            place = int(node.this)
            if 1 <= place <= len(outputs):
                return place - 1
        elif node.sql() in spelt:
            return spelt.index(node.sql())
        self._source.refuse(
            node,
            "ORDER BY takes output columns of this question.",
            f"They are {', '.join(output.name for output in outputs)}.",
        )

    def _limit(self, limit: exp.Expr | None) -> int | None:
        if limit is None:
            return None
        self._source.closed(limit, "expression", hint="LIMIT takes a whole number.")
        node = limit.args["expression"]
        if (
            isinstance(node, exp.Literal)
            and not node.is_string
            and node.this.isdigit()
            and len(node.this) < 9
        ):
            value = int(node.this)
            if value <= MAXIMUM_LIMIT:
                return value
        self._source.refuse(
            node, f"LIMIT takes a whole number up to {MAXIMUM_LIMIT}.", "Write LIMIT 10."
        )

    def _output(self, node: exp.Expr, group_by: tuple[str, ...], place: int) -> Output:
        alias = ""
        if isinstance(node, exp.Alias):
            self._source.closed(node, "this", "alias", hint="An alias is one name.")
            alias, node = self._source.identifier(node.args["alias"]), node.this
        if isinstance(node, exp.Column):
            name = self._row.column(node).name
            if name not in group_by:
                self._source.refuse(
                    node,
                    f"Column {name} is selected but neither aggregated nor grouped by; rows never "
                    "leave a department.",
                    f"Accepted are grouping columns and {AGGREGATES}.",
                )
            return Output(alias or name, Key(name))
        match node:
            case exp.Count():
                counted = canonical_measure(self._count(node), self._contract)
                return Output(alias or f"count_{place}", Number(counted))
            case exp.Sum():
                self._source.closed(node, "this", hint=f"Accepted are {AGGREGATES}.")
                total = canonical_measure(Sum(self._row.expression(node.this)), self._contract)
                return Output(alias or f"sum_{place}", Number(total))
            case exp.Avg():
                self._source.closed(node, "this", hint=f"Accepted are {AGGREGATES}.")
                of = self._row.expression(node.this)
                total = canonical_measure(Sum(of), self._contract)
                counted = canonical_measure(Count(of), self._contract)
                return Output(alias or f"avg_{place}", Mean(total, counted))
            case _:
                self._source.refuse(
                    node,
                    "This is no aggregate of the question algebra.",
                    f"Accepted are grouping columns and {AGGREGATES}.",
                )

    def _count(self, node: exp.Count) -> Measure:
        self._source.closed(node, "this", "big_int", hint=f"Accepted are {AGGREGATES}.")
        inner = node.this
        if inner is None:
            self._source.refuse(node, "count() counts nothing.", "Write count(*).")
        if isinstance(inner, exp.Star):
            self._source.closed(inner, hint="count(*) takes the bare star.")
            return Count()
        if isinstance(inner, exp.Distinct):
            self._source.closed(inner, "expressions", hint="count(DISTINCT unit) takes one column.")
            counted = inner.expressions
            unit = self._contract.unit
            bare = len(counted) == 1 and isinstance(counted[0], exp.Column)
            if not bare or unit is None or self._row.name(counted[0]) != unit:
                self._source.refuse(
                    inner,
                    "count(DISTINCT ...) counts protected units only.",
                    f"Write count(DISTINCT {unit})." if unit else "This table protects nobody.",
                )
            return Units()
        if isinstance(inner, exp.Column):
            return Count(ColumnOf(self._row.column(inner).name))
        return Count(self._row.expression(inner))


def _measures_of(output: Output) -> tuple[Measure, ...]:
    match output.source:
        case Number(measure):
            return (measure,)
        case Mean(total, count):
            return (total, count)
        case Key():
            return ()
