"""Questions over the contract of tests.people, drawn at random; not yet canonical."""

from __future__ import annotations

from hypothesis import strategies as st

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
from tests.people import DIAGNOSES, DISTRICTS

NUMBERS = ("age", "income", "height")
ORDERED = tuple(Relation)
EQUALITY = (Relation.EQUAL, Relation.NOT_EQUAL)

_ages = st.integers(-5, 130)
_incomes = st.integers(-10, 250_000)
_heights = st.floats(0.0, 3.0, allow_nan=False).map(lambda value: round(value, 2))
_districts = st.sampled_from([*DISTRICTS, "D9", ""])
_diagnoses = st.sampled_from([*DIAGNOSES, "other"])

_comparisons = st.one_of(
    st.builds(Comparison, st.just("age"), st.sampled_from(ORDERED), _ages),
    st.builds(Comparison, st.just("income"), st.sampled_from(ORDERED), _incomes),
    st.builds(Comparison, st.just("height"), st.sampled_from(ORDERED), _heights),
    st.builds(Comparison, st.just("district"), st.sampled_from(EQUALITY), _districts),
    st.builds(Comparison, st.just("diagnosis"), st.sampled_from(EQUALITY), _diagnoses),
    st.builds(Comparison, st.just("member"), st.sampled_from(EQUALITY), st.booleans()),
)
_memberships = st.one_of(
    st.builds(Membership, st.just("age"), st.lists(_ages, min_size=1, max_size=4).map(tuple)),
    st.builds(
        Membership, st.just("district"), st.lists(_districts, min_size=1, max_size=4).map(tuple)
    ),
    st.builds(
        Membership, st.just("diagnosis"), st.lists(_diagnoses, min_size=1, max_size=4).map(tuple)
    ),
)
_leaves: st.SearchStrategy[Predicate] = st.one_of(
    _comparisons,
    _memberships,
    st.builds(IsNull, st.sampled_from(["income", "diagnosis", "height", "member", "age"])),
    st.builds(
        Prefix, st.sampled_from(["district", "diagnosis"]), st.sampled_from(["D", "fl", "c"])
    ),
)
predicates: st.SearchStrategy[Predicate] = st.recursive(
    _leaves,
    lambda inner: st.one_of(
        st.builds(Not, inner),
        st.builds(All, st.lists(inner, min_size=2, max_size=3).map(tuple)),
        st.builds(AnyOf, st.lists(inner, min_size=2, max_size=3).map(tuple)),
    ),
    max_leaves=8,
)
_constants: st.SearchStrategy[Expression] = st.builds(
    Constant,
    st.one_of(
        st.integers(-50, 50),
        st.floats(-9, 9, allow_nan=False).map(lambda value: round(value, 1)),
    ),
)
expressions: st.SearchStrategy[Expression] = st.recursive(
    st.one_of(st.builds(ColumnOf, st.sampled_from(NUMBERS)), _constants),
    lambda inner: st.one_of(
        st.builds(Arithmetic, st.sampled_from(Operator), inner, inner),
        st.builds(Case, predicates, inner, st.one_of(st.none(), inner)),
    ),
    max_leaves=4,
)
keys: st.SearchStrategy[GroupKey] = st.one_of(
    st.builds(Whole, st.sampled_from(["district", "sex", "diagnosis", "member"])),
    st.builds(Truncated, st.just("moved"), st.sampled_from(Span)),
    st.builds(
        Bucketed,
        st.sampled_from(NUMBERS),
        st.integers(-20, 40).map(float),
        st.integers(41, 90).map(float),
        st.integers(1, 12),
    ),
)
measures: st.SearchStrategy[Measure] = st.one_of(
    st.builds(Count),
    st.builds(Count, expressions),
    st.builds(Count, st.builds(ColumnOf, st.sampled_from(["diagnosis", "member", "district"]))),
    st.builds(Sum, expressions),
    st.builds(Units),
)
questions: st.SearchStrategy[Question] = st.builds(
    Question,
    st.just("people"),
    st.lists(measures, min_size=1, max_size=3).map(tuple),
    st.lists(keys, max_size=2, unique=True).map(tuple),
    st.one_of(st.none(), predicates),
)
