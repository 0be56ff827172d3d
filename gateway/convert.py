"""Between the gateway's values and the wire; generated types stop here."""

from __future__ import annotations

from typing import assert_never

from landbridge.literals import to_literal
from landbridge.v1 import question_pb2
from policies.question import (
    All,
    AnyOf,
    Arithmetic,
    Bucketed,
    Case,
    ColumnOf,
    Comparison,
    Constant,
    Count,
    Expression,
    GroupKey,
    Histogram,
    IsNull,
    Measure,
    Membership,
    Not,
    Operator,
    Predicate,
    Prefix,
    Question,
    Relation,
    Span,
    Sum,
    Truncated,
    Units,
    Whole,
)

_OPERATORS = {
    Operator.ADD: question_pb2.Arithmetic.OPERATOR_ADD,
    Operator.SUBTRACT: question_pb2.Arithmetic.OPERATOR_SUBTRACT,
    Operator.MULTIPLY: question_pb2.Arithmetic.OPERATOR_MULTIPLY,
}
_SPANS = {
    Span.DAY: question_pb2.Truncation.UNIT_DAY,
    Span.WEEK: question_pb2.Truncation.UNIT_WEEK,
    Span.MONTH: question_pb2.Truncation.UNIT_MONTH,
    Span.QUARTER: question_pb2.Truncation.UNIT_QUARTER,
    Span.YEAR: question_pb2.Truncation.UNIT_YEAR,
}
_RELATIONS = {
    Relation.EQUAL: question_pb2.Comparison.OPERATOR_EQUAL,
    Relation.NOT_EQUAL: question_pb2.Comparison.OPERATOR_NOT_EQUAL,
    Relation.LESS: question_pb2.Comparison.OPERATOR_LESS,
    Relation.LESS_OR_EQUAL: question_pb2.Comparison.OPERATOR_LESS_OR_EQUAL,
    Relation.GREATER: question_pb2.Comparison.OPERATOR_GREATER,
    Relation.GREATER_OR_EQUAL: question_pb2.Comparison.OPERATOR_GREATER_OR_EQUAL,
}


def question_to(question: Question) -> question_pb2.Question:
    """The wire form of a typed question."""
    return question_pb2.Question(
        contract=question.contract,
        group_by=[_key(key) for key in question.group_by],
        where=None if question.where is None else _predicate(question.where),
        measures=[_measure(measure) for measure in question.measures],
        joined=question.joined,
    )


def _key(key: GroupKey) -> question_pb2.GroupKey:
    match key:
        case Whole(column):
            return question_pb2.GroupKey(column=column)
        case Truncated(column, span):
            truncation = question_pb2.Truncation(column=column, unit=_SPANS[span])
            return question_pb2.GroupKey(truncation=truncation)
        case Bucketed(column, low, high, count):
            bucket = question_pb2.Bucket(column=column, low=low, high=high, count=count)
            return question_pb2.GroupKey(bucket=bucket)
        case _:
            assert_never(key)


def _measure(measure: Measure) -> question_pb2.Measure:
    match measure:
        case Count(of):
            inner = None if of is None else _expression(of)
            return question_pb2.Measure(count=question_pb2.Count(of=inner))
        case Sum(of):
            return question_pb2.Measure(sum=question_pb2.Sum(of=_expression(of)))
        case Histogram(of):
            return question_pb2.Measure(histogram=question_pb2.Histogram(of=_expression(of)))
        case Units():
            return question_pb2.Measure(units=question_pb2.Units())
        case _:
            assert_never(measure)


def _expression(expression: Expression) -> question_pb2.Expression:
    match expression:
        case ColumnOf(column):
            return question_pb2.Expression(column=column)
        case Constant(value):
            return question_pb2.Expression(literal=to_literal(value))
        case Arithmetic(operator, left, right):
            return question_pb2.Expression(
                arithmetic=question_pb2.Arithmetic(
                    operator=_OPERATORS[operator],
                    left=_expression(left),
                    right=_expression(right),
                )
            )
        case Case(when, then, otherwise):
            return question_pb2.Expression(
                case=question_pb2.Case(
                    when=_predicate(when),
                    then=_expression(then),
                    otherwise=None if otherwise is None else _expression(otherwise),
                )
            )
        case _:
            assert_never(expression)


def _predicate(predicate: Predicate) -> question_pb2.Predicate:
    match predicate:
        case All(of):
            parts = question_pb2.Junction(of=[_predicate(part) for part in of])
            return question_pb2.Predicate(all=parts)
        case AnyOf(of):
            parts = question_pb2.Junction(of=[_predicate(part) for part in of])
            return question_pb2.Predicate(any=parts)
        case Not(inner):
            # `not` is a keyword here, so it cannot be written as a name.
            negated = question_pb2.Predicate()
            getattr(negated, "not").CopyFrom(_predicate(inner))
            return negated
        case Comparison(column, relation, literal):
            return question_pb2.Predicate(
                comparison=question_pb2.Comparison(
                    column=column, operator=_RELATIONS[relation], literal=to_literal(literal)
                )
            )
        case Membership(column, literals):
            return question_pb2.Predicate(
                membership=question_pb2.Membership(
                    column=column, literals=[to_literal(value) for value in literals]
                )
            )
        case IsNull(column):
            return question_pb2.Predicate(is_null=column)
        case Prefix(column, text):
            return question_pb2.Predicate(prefix=question_pb2.Prefix(column=column, text=text))
        case _:
            assert_never(predicate)
