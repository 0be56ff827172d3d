"""One SELECT: its clauses and what it puts out."""

from __future__ import annotations

from dataclasses import replace

from sqlglot import exp

from gateway.presentation import (
    Both,
    Either,
    Having,
    Holds,
    Key,
    Neither,
    Ordering,
    Output,
    Presentation,
    Reading,
)
from gateway.scalar import measures_of
from gateway.sql.key import KEYS, KeyReader, is_key
from gateway.sql.row import RowReader
from gateway.sql.scalar import AGGREGATES, ScalarReader
from gateway.sql.source import Source
from gateway.sql.table import Link, Resolve, TableReader
from landbridge.levels import Level
from policies.canonical import canonical
from policies.estimable import randomised_columns
from policies.question import Count, GroupKey, Measure, Question, Whole

MAXIMUM_LIMIT = 1_000_000


class StatementReader:
    """Reads one statement; every method takes a syntax node and gives a value of the algebra."""

    def __init__(self, source: Source, resolve: Resolve, clearance: Level, link: Link) -> None:
        self._source = source
        self._resolve = resolve
        self._link = link
        self._clearance = clearance

    def reading(self, statement: exp.Expr) -> Reading:
        """The whole statement."""
        if not isinstance(statement, exp.Select):
            self._source.refuse(
                statement, "Only SELECT is accepted.", "Write one SELECT of aggregates."
            )
        self._source.closed(
            statement, "expressions", "from_", "joins", "where", "group", "having", "order",
            "limit",
            hint="Accepted are SELECT, FROM, JOIN, WHERE, GROUP BY, HAVING, ORDER BY and LIMIT.",
        )  # fmt: skip
        tables = TableReader(self._source, self._resolve, self._link).tables(statement)
        self._contract = tables.contract
        row = self._row = RowReader(self._source, self._contract, tables.by_alias, self._clearance)
        self._keys = KeyReader(self._source, row)
        self._scalars = ScalarReader(self._source, self._contract, row)
        group_by = self._group_by(statement.args.get("group"), statement.expressions)
        outputs = tuple(
            self._output(node, group_by, place)
            for place, node in enumerate(statement.expressions, start=1)
        )
        measures = [
            measure
            for output in outputs
            if not isinstance(output.source, Key)
            for measure in measures_of(output.source)
        ]
        names = [output.name for output in outputs]
        if len(set(names)) < len(names):
            self._source.refuse(
                statement, "Two output columns have one name.", "Give one an alias."
            )
        where = statement.args.get("where")
        predicate = None if where is None else self._row.predicate(where.this)
        clause = statement.args.get("having")
        having = None if clause is None else self._scalars.having(clause.this)
        measures += _having_measures(having)
        if not measures:
            self._source.refuse(
                statement,
                "The question selects no aggregate; rows never leave a department.",
                f"Accepted are {AGGREGATES}.",
            )
        first, *others = (part.id for part in self._contract.each)
        question = Question(first, tuple(measures), group_by, predicate, tuple(others))
        if randomised_columns(question, self._contract):
            # How far randomisation at the source spreads an estimate follows from how many reports
            # there are.
            question = replace(question, measures=(*question.measures, Count()))
        presentation = Presentation(
            outputs,
            having,
            self._order(statement.args.get("order"), statement.expressions, outputs),
            self._limit(statement.args.get("limit")),
        )
        return Reading(canonical(question, self._contract), presentation, tables.department)

    def _group_by(self, group: exp.Expr | None, nodes: list[exp.Expr]) -> tuple[GroupKey, ...]:
        """The keys; a name or number that stands for a column of SELECT is that column."""
        if group is None:
            return ()
        self._source.closed(group, "expressions", hint=f"GROUP BY takes {KEYS}.")
        aliases = {
            self._source.identifier(node.args["alias"]): node.this
            for node in nodes
            if isinstance(node, exp.Alias) and is_key(node.this)
        }
        keys = []
        for node in group.expressions:
            meant = node
            if isinstance(node, exp.Column) and not node.args.get("table"):
                name = self._source.identifier(node.this)
                # As in SQL, a column comes before an alias of its name.
                meant = node if self._row.has(name) else aliases.get(name, node)
            place = _place_of(node)
            if place is not None and place <= len(nodes):
                meant = nodes[place - 1]
                meant = meant.this if isinstance(meant, exp.Alias) else meant
            keys.append(self._keys.key(meant))
        if len(set(keys)) < len(keys):
            self._source.refuse(group, "A key is grouped by twice.", "Name it once.")
        return tuple(keys)

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
        number = _place_of(node)
        if number is not None and number <= len(outputs):
            return number - 1
        if not isinstance(node, exp.Literal) and node.sql() in spelt:
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

    def _output(self, node: exp.Expr, group_by: tuple[GroupKey, ...], place: int) -> Output:
        alias = ""
        if isinstance(node, exp.Alias):
            self._source.closed(node, "this", "alias", hint="An alias is one name.")
            alias, node = self._source.identifier(node.args["alias"]), node.this
        if is_key(node):
            key = self._keys.key(node)
            if key in group_by:
                column = key.column.rpartition(".")[2]  # as in SQL, without its table
                plain = column if isinstance(key, Whole) else f"key_{place}"
                return Output(alias or plain, Key(key))
        scalar = self._scalars.scalar(node)
        return Output(alias or f"{_WORDS.get(type(node), 'value')}_{place}", scalar)


_WORDS: dict[type[exp.Expr], str] = {
    exp.Count: "count", exp.Sum: "sum", exp.Avg: "avg", exp.Stddev: "stddev",
    exp.StddevSamp: "stddev", exp.Variance: "variance", exp.Corr: "corr",
    exp.RegrSlope: "slope", exp.RegrIntercept: "intercept", exp.Median: "median",
    exp.Quantile: "quantile", exp.PercentileCont: "quantile", exp.PercentileDisc: "quantile",
    exp.Min: "min", exp.Max: "max",
}  # fmt: skip


def _place_of(node: exp.Expr) -> int | None:
    """The number that a bare literal says, from 1; None for everything else."""
    if isinstance(node, exp.Literal) and not node.is_string and len(node.this) < 4:
        return int(node.this) or None if node.this.isdigit() else None
    return None


def _having_measures(having: Having | None) -> tuple[Measure, ...]:
    match having:
        case None:
            return ()
        case Holds(left):
            return measures_of(left)
        case Both(left, right) | Either(left, right):
            return (*_having_measures(left), *_having_measures(right))
        case Neither(of):
            return _having_measures(of)
