"""A typed question as SQL that asks it: what a caller is shown of a counter-offer, and can ask.

Reading the text gives the same question again, key by key and measure by measure (there is a test
of that); nothing runs it. A histogram, of which quantiles are computed, is spelt as its median.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from landbridge.errors import LandbridgeError, error
from landbridge.literals import from_literal
from landbridge.v1 import question_pb2
from policies.contract import Contract, Value
from policies.question import Span

Column = Callable[[str], str]

_SPANS: Final[Mapping[int, Span]] = {
    question_pb2.Truncation.UNIT_DAY: Span.DAY,
    question_pb2.Truncation.UNIT_WEEK: Span.WEEK,
    question_pb2.Truncation.UNIT_MONTH: Span.MONTH,
    question_pb2.Truncation.UNIT_QUARTER: Span.QUARTER,
    question_pb2.Truncation.UNIT_YEAR: Span.YEAR,
}
_OPERATORS: Final[Mapping[int, str]] = {
    question_pb2.Arithmetic.OPERATOR_ADD: "+",
    question_pb2.Arithmetic.OPERATOR_SUBTRACT: "-",
    question_pb2.Arithmetic.OPERATOR_MULTIPLY: "*",
}
_RELATIONS: Final[Mapping[int, str]] = {
    question_pb2.Comparison.OPERATOR_EQUAL: "=",
    question_pb2.Comparison.OPERATOR_NOT_EQUAL: "<>",
    question_pb2.Comparison.OPERATOR_LESS: "<",
    question_pb2.Comparison.OPERATOR_LESS_OR_EQUAL: "<=",
    question_pb2.Comparison.OPERATOR_GREATER: ">",
    question_pb2.Comparison.OPERATOR_GREATER_OR_EQUAL: ">=",
}


def spelt(question: question_pb2.Question, contract: Contract, department: str) -> str:
    """The SQL of a question to one department; raises ANSWER_REJECTED for one outside the algebra.

    `contract` is the one asked, or the join.
    """
    unit = contract.unit or ""
    keys = [_key(key) for key in question.group_by]
    outputs, names = list[str](), set[str]()
    for place, (key, message) in enumerate(zip(keys, question.group_by, strict=True), start=1):
        name = _name(message)
        name = name if name not in names else f"{name}_{place}"
        names.add(name)
        outputs.append(key if name == key else f"{key} AS {name}")
    outputs += [_measure(measure, unit) for measure in question.measures]
    words = f"SELECT {', '.join(outputs)} FROM {department}.{question.contract}"
    words += "".join(f" JOIN {department}.{other} USING ({unit})" for other in question.joined)
    if question.HasField("where"):
        words += f" WHERE {_predicate(question.where)}"
    return words + (f" GROUP BY {', '.join(keys)}" if keys else "")


def _key(key: question_pb2.GroupKey) -> str:
    match key.WhichOneof("kind"):
        case "column":
            return key.column
        case "truncation":
            cut = key.truncation
            return f"date_trunc('{_known(_SPANS, cut.unit)}', {cut.column})"
        case "bucket":
            bucket = key.bucket
            return f"width_bucket({bucket.column}, {bucket.low!r}, {bucket.high!r}, {bucket.count})"
        case _:
            raise _outside()


def _name(key: question_pb2.GroupKey) -> str:
    """What the column of the answer is called."""
    match key.WhichOneof("kind"):
        case "truncation":
            unit = _known(_SPANS, key.truncation.unit)
            return f"{key.truncation.column.replace('.', '_')}_{unit}"
        case "bucket":
            return f"{key.bucket.column.replace('.', '_')}_bucket"
        case _:
            return key.column.replace(".", "_")


def _measure(measure: question_pb2.Measure, unit: str) -> str:
    match measure.WhichOneof("kind"):
        case "count":
            inside = _expression(measure.count.of) if measure.count.HasField("of") else "*"
            return f"count({inside})"
        case "sum":
            return f"sum({_expression(measure.sum.of)})"
        case "units":
            return f"count(DISTINCT {unit})"
        case "histogram":
            return f"median({_expression(measure.histogram.of)})"
        case _:
            raise _outside()


def _expression(expression: question_pb2.Expression) -> str:
    match expression.WhichOneof("kind"):
        case "column":
            return expression.column
        case "literal":
            return _literal(from_literal(expression.literal))
        case "arithmetic":
            both = expression.arithmetic
            sign = _known(_OPERATORS, both.operator)
            return f"({_expression(both.left)} {sign} {_expression(both.right)})"
        case "case":
            case = expression.case
            rest = f" ELSE {_expression(case.otherwise)}" if case.HasField("otherwise") else ""
            return f"CASE WHEN {_predicate(case.when)} THEN {_expression(case.then)}{rest} END"
        case _:
            raise _outside()


def _predicate(predicate: question_pb2.Predicate) -> str:
    match predicate.WhichOneof("kind"):
        case "all":
            return "(" + " AND ".join(map(_predicate, predicate.all.of)) + ")"
        case "any":
            return "(" + " OR ".join(map(_predicate, predicate.any.of)) + ")"
        case "not":
            return f"NOT ({_predicate(getattr(predicate, 'not'))})"
        case "comparison":
            one = predicate.comparison
            literal = _literal(from_literal(one.literal))
            return f"{one.column} {_known(_RELATIONS, one.operator)} {literal}"
        case "membership":
            listed = predicate.membership
            inside = ", ".join(_literal(from_literal(each)) for each in listed.literals)
            return f"{listed.column} IN ({inside})"
        case "is_null":
            return f"{predicate.is_null} IS NULL"
        case "prefix":
            return f"{predicate.prefix.column} LIKE {_literal(predicate.prefix.text + '%')}"
        case _:
            raise _outside()


def _literal(value: Value) -> str:
    match value:
        case bool():
            return "TRUE" if value else "FALSE"
        case int() | float():
            return repr(value)
        case str():
            return "'" + value.replace("'", "''") + "'"
        case _:
            kind = "TIMESTAMP" if hasattr(value, "hour") else "DATE"
            spelt_out = value.isoformat(" ") if kind == "TIMESTAMP" else value.isoformat()  # type: ignore[call-arg]
            return f"{kind} '{spelt_out}'"


def _known(words: Mapping[int, str], number: int) -> str:
    if number not in words:
        raise _outside()
    return words[number]


def _outside() -> LandbridgeError:
    return error("ANSWER_REJECTED", "A department sent a question outside the algebra.")
