"""Between the wire and this node's values; generated types stop here.

Reading is strict: an unknown field, an unset choice or an unspecified operator is refused, since
unknown means no.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any, assert_never

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.unknown_fields import UnknownFieldSet

from landbridge.errors import LandbridgeError, error
from landbridge.literals import from_literal, to_literal
from landbridge.protocols.masks import to_bytes
from landbridge.v1 import question_pb2, release_pb2
from nodes.census_share import Summed
from nodes.ledger import Account
from nodes.release import Released
from nodes.share import Masked
from policies.canonical import key_text, measure_text
from policies.disclosure import ReleasePlan
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
    question_pb2.Arithmetic.OPERATOR_ADD: Operator.ADD,
    question_pb2.Arithmetic.OPERATOR_SUBTRACT: Operator.SUBTRACT,
    question_pb2.Arithmetic.OPERATOR_MULTIPLY: Operator.MULTIPLY,
}
_SPANS = {
    question_pb2.Truncation.UNIT_DAY: Span.DAY,
    question_pb2.Truncation.UNIT_WEEK: Span.WEEK,
    question_pb2.Truncation.UNIT_MONTH: Span.MONTH,
    question_pb2.Truncation.UNIT_QUARTER: Span.QUARTER,
    question_pb2.Truncation.UNIT_YEAR: Span.YEAR,
}
_RELATIONS = {
    question_pb2.Comparison.OPERATOR_EQUAL: Relation.EQUAL,
    question_pb2.Comparison.OPERATOR_NOT_EQUAL: Relation.NOT_EQUAL,
    question_pb2.Comparison.OPERATOR_LESS: Relation.LESS,
    question_pb2.Comparison.OPERATOR_LESS_OR_EQUAL: Relation.LESS_OR_EQUAL,
    question_pb2.Comparison.OPERATOR_GREATER: Relation.GREATER,
    question_pb2.Comparison.OPERATOR_GREATER_OR_EQUAL: Relation.GREATER_OR_EQUAL,
}


def question_from(message: question_pb2.Question) -> Question:
    """The typed question; raises INVALID_ARGUMENT for anything outside the algebra.

    The same object again for the same bytes, which say all of it; what was refused is read anew.
    """
    wire = message.SerializeToString(deterministic=True)
    return _read(wire) if len(wire) <= _LONGEST_REMEMBERED else _question(message)


_LONGEST_REMEMBERED = 4_096


@lru_cache(1_024)
def _read(wire: bytes) -> Question:
    return _question(question_pb2.Question.FromString(wire))


def _question(message: question_pb2.Question) -> Question:
    refuse_unknown_fields(message)
    return Question(
        contract=message.contract,
        measures=tuple(_measure(measure) for measure in message.measures),
        group_by=tuple(_key(key) for key in message.group_by),
        where=_predicate(message.where) if message.HasField("where") else None,
        joined=tuple(message.joined),
    )


def narrowed_to(message: question_pb2.Question, less: Question) -> None:
    """Leaves in the message what `less` has; its keys may be coarser than the message's own."""
    kept = {measure_text(_measure(each)): each for each in message.measures}
    measures = [kept[measure_text(measure)] for measure in less.measures]
    keys = {key_text(_key(each)): each for each in message.group_by}
    chosen = [keys.get(key_text(key)) or _key_to(key) for key in less.group_by]
    # Copied first: what is cleared is what they are part of.
    copies = question_pb2.Question(measures=measures, group_by=chosen)
    message.ClearField("measures")
    message.ClearField("group_by")
    message.measures.extend(copies.measures)
    message.group_by.extend(copies.group_by)


def _key_to(key: GroupKey) -> question_pb2.GroupKey:
    match key:
        case Whole(column):
            return question_pb2.GroupKey(column=column)
        case Truncated(column, span):
            units = {known: unit for unit, known in _SPANS.items()}
            truncation = question_pb2.Truncation(column=column, unit=units[span])
            return question_pb2.GroupKey(truncation=truncation)
        case Bucketed(column, low, high, count):
            bucket = question_pb2.Bucket(column=column, low=low, high=high, count=count)
            return question_pb2.GroupKey(bucket=bucket)
        case _:
            assert_never(key)


def arguments_from(message: Mapping[str, question_pb2.Literal]) -> dict[str, object]:
    """A handler's arguments by name."""
    return {name: from_literal(literal) for name, literal in message.items()}


def release_to(released: Released, data_version: str) -> release_pb2.Release:
    """The wire form of what the release step made, and of nothing else."""
    if not isinstance(released, Released):
        raise TypeError("only what the release step made can leave")
    return release_pb2.Release(
        domains=_domains(released.plan),
        measures=[
            release_pb2.ReleasedMeasure(
                units=measure.units,
                step=measure.mechanism.step,
                standard_deviation=measure.mechanism.standard_deviation,
                centre=measure.mechanism.centre_units * measure.mechanism.step,
                noise=measure.mechanism.kind,
                withheld=measure.withheld,
            )
            for measure in released.measures
        ],
        data_version=data_version,
        suppressed=released.suppressed,
    )


def masked_to(masked: Masked) -> bytes:
    """The wire form of a masked vector that the release step made, and of nothing else."""
    if not isinstance(masked, Masked):
        raise TypeError("only what the release step masked can leave")
    return to_bytes(masked.numbers)


def summed_to(own: Summed) -> bytes:
    """A share of a measurement's total, which only its release step makes."""
    if not isinstance(own, Summed):
        raise TypeError("only a share with noise leaves")
    return own.share


def budget_to(account: Account) -> release_pb2.Budget:
    """One budget, as the ledger keeps it."""
    return release_pb2.Budget(
        spent_micro_rho=account.spent,
        limit_micro_rho=account.limit,
        delta=account.delta,
        renews=account.renews,
    )


def refuse_unknown_fields(message: Message, *, but: str = "") -> None:
    """Raises INVALID_ARGUMENT when the message, or one inside it, has a field we do not know.

    The field `but` is looked through by who reads it.
    """
    if len(UnknownFieldSet(message)):
        raise _outside("a field this node does not know")
    for descriptor, value in message.ListFields():
        if descriptor.name == but:
            continue
        for part in _messages_in(descriptor)(value):
            refuse_unknown_fields(part)


@lru_cache(4_096)
def _messages_in(descriptor: FieldDescriptor) -> Callable[[Any], Iterable[Message]]:
    """What finds the messages in a field's value; the schema, which says how, is asked once."""
    if descriptor.message_type is None:
        return lambda _: ()
    if descriptor.message_type.GetOptions().map_entry:
        return lambda value: [part for part in value.values() if isinstance(part, Message)]
    if descriptor.is_repeated:
        return lambda value: value
    return lambda value: (value,)


def _domains(plan: ReleasePlan) -> list[release_pb2.Domain]:
    return [
        release_pb2.Domain(
            values=[to_literal(value) for value in axis.values], null_last=axis.null_last
        )
        for axis in plan.axes
    ]


def _outside(what: str) -> LandbridgeError:
    return error("INVALID_ARGUMENT", f"The typed question holds {what}.")


def _key(message: question_pb2.GroupKey) -> GroupKey:
    match message.WhichOneof("kind"):
        case "column":
            return Whole(message.column)
        case "truncation":
            span = _SPANS.get(message.truncation.unit)
            if span is None:
                raise _outside("an unknown unit of time")
            return Truncated(message.truncation.column, span)
        case "bucket":
            bucket = message.bucket
            return Bucketed(bucket.column, bucket.low, bucket.high, bucket.count)
        case _:
            raise _outside("an empty grouping key")


def _measure(message: question_pb2.Measure) -> Measure:
    match message.WhichOneof("kind"):
        case "count":
            of = message.count.of if message.count.HasField("of") else None
            return Count(None if of is None else _expression(of))
        case "sum":
            return Sum(_expression(message.sum.of))
        case "histogram":
            return Histogram(_expression(message.histogram.of))
        case "units":
            return Units()
        case _:
            raise _outside("an unknown measure")


def _expression(message: question_pb2.Expression) -> Expression:
    match message.WhichOneof("kind"):
        case "column":
            return ColumnOf(message.column)
        case "literal":
            value = from_literal(message.literal)
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise _outside("a literal in arithmetic that is no number")
            if not abs(value) < float("inf"):
                raise _outside("a number that is not finite")
            return Constant(value)
        case "arithmetic":
            operator = _OPERATORS.get(message.arithmetic.operator)
            if operator is None:
                raise _outside("an unknown operator")
            return Arithmetic(
                operator,
                _expression(message.arithmetic.left),
                _expression(message.arithmetic.right),
            )
        case "case":
            rest = message.case.otherwise if message.case.HasField("otherwise") else None
            return Case(
                _predicate(message.case.when),
                _expression(message.case.then),
                None if rest is None else _expression(rest),
            )
        case _:
            raise _outside("an empty expression")


def _predicate(message: question_pb2.Predicate) -> Predicate:
    match message.WhichOneof("kind"):
        case "all":
            return All(_parts(message.all))
        case "any":
            return AnyOf(_parts(message.any))
        case "not":
            # `not` is a keyword here, so the field has no attribute of that name.
            return Not(_predicate(getattr(message, "not")))
        case "comparison":
            relation = _RELATIONS.get(message.comparison.operator)
            if relation is None:
                raise _outside("an unknown comparison")
            literal = from_literal(message.comparison.literal)
            return Comparison(message.comparison.column, relation, literal)
        case "membership":
            literals = tuple(from_literal(literal) for literal in message.membership.literals)
            return Membership(message.membership.column, literals)
        case "is_null":
            return IsNull(message.is_null)
        case "prefix":
            return Prefix(message.prefix.column, message.prefix.text)
        case _:
            raise _outside("an empty condition")


def _parts(message: question_pb2.Junction) -> tuple[Predicate, ...]:
    if len(message.of) < 2:
        raise _outside("a junction of fewer than two conditions")
    return tuple(_predicate(part) for part in message.of)
