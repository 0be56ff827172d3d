"""A change of a policy is told by what it newly lets out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from landbridge.levels import Level
from policies import odcs
from policies.access import AccessPolicy
from policies.change import Change, changes
from policies.contract import Allowance, Column, Contract, Disclosure, Method
from policies.handler import Handler
from policies.outlet import Outlet, outlets
from tests.people import document
from tests.policies.policy_sets import FORBID, PERMIT

PEOPLE = odcs.read(document(), "people")


def side(
    text: str = PERMIT, contract: Contract = PEOPLE
) -> tuple[dict[str, Contract], dict[str, Handler], tuple[Outlet, ...]]:
    """One version of a policy."""
    access = AccessPolicy.load(text, "x.cedar", contracts=["people"], handlers=[])
    return {"people": contract}, {}, outlets("north", {"people": contract}, {}, [access])


def with_terms(**terms: Any) -> Contract:
    """The contract under other terms."""
    return replace(PEOPLE, disclosure=replace(PEOPLE.disclosure, **terms))


def with_column(name: str, **fields: Any) -> Contract:
    """The contract with another column."""
    return replace(
        PEOPLE,
        columns=tuple(replace(c, **fields) if c.name == name else c for c in PEOPLE.columns),
    )


def test_the_same_policy_changes_nothing() -> None:
    """Also when it is written in other words."""
    assert changes(side(), side("// reviewed\n" + PERMIT)) == ()


def test_a_new_permit_is_told_column_by_column() -> None:
    """Who, for which purpose, from which clearance on."""
    found = changes(side(FORBID), side(PERMIT))
    assert found
    assert all(change.wider and change.where == "people" for change in found)
    assert any("institute for dpv:ResearchAndDevelopment: age" in change.what for change in found)


def test_a_withdrawn_permit_is_told_as_less() -> None:
    """Nobody has to fear that change."""
    found = changes(side(PERMIT), side(FORBID))
    assert found
    assert not any(change.wider for change in found)


WIDER: list[tuple[dict[str, Any], str]] = [
    ({"recipient": Allowance(100.0, 1e-6)}, "recipient"),
    ({"recipient": replace(PEOPLE.disclosure.recipient, delta=1e-3)}, "recipient"),
    ({"period": "day"}, "period"),
    ({"maximum_epsilon": 100.0}, "maximum_epsilon"),
    ({"maximum_cells": 10**6}, "maximum_cells"),
    ({"method": Method.UNPROTECTED}, "method"),
    ({"method": Method.EXACT}, "method"),
    ({"exact_for": frozenset({"office"})}, "exact_for"),
]


@pytest.mark.parametrize(("terms", "name"), WIDER)
def test_a_term_that_lets_out_more_comes_first_and_is_named(
    terms: dict[str, Any], name: str
) -> None:
    """And the way back lets out less."""
    there = changes(side(), side(contract=with_terms(**terms)))
    assert there[0].wider
    assert name in there[0].what
    back = changes(side(contract=with_terms(**terms)), side())
    mine = [change for change in back if change.what.startswith(f"{name}:")]
    assert mine
    assert not any(change.wider for change in mine)


def test_a_lower_level_of_a_column_lets_out_more() -> None:
    """Both by the column itself and by who can use it now."""
    raised = with_column("age", level=Level.RESTRICTED)
    found = changes(side(contract=raised), side(contract=with_column("age", level=Level.OPEN)))
    assert Change(True, "people.age", "level restricted -> open") in found
    assert any("clearance restricted -> open" in change.what for change in found)


def test_another_unit_or_none_is_never_less() -> None:
    """Whoever was protected is not any more."""
    found = changes(side(), side(contract=replace(PEOPLE, unit=None)))
    assert any(change.wider and "protects nobody" in change.what for change in found)


@pytest.mark.parametrize("name", sorted(set(Disclosure.__dataclass_fields__)))
def test_no_term_changes_in_silence(name: str) -> None:
    """A term that is added one day is told too."""
    other = with_terms(**{name: object()}) if name not in ORDERED else None
    if other is not None:
        assert changes(side(), (({"people": other}), {}, side()[2]))[0].wider


ORDERED = {
    "method", "recipient", "overall", "period", "units_span", "maximum_epsilon", "maximum_cells",
    "default_epsilon", "minimum_units", "p_percent", "rounding", "exact_for",
    "pooling",  # term by term, in test_together
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(set(Column.__dataclass_fields__) - {"name", "description"}))
def test_no_property_of_a_column_changes_in_silence(name: str) -> None:
    """Except its description."""
    value: Any = Level.SEALED if name == "level" else ("x",) if name == "domain" else object()
    if name == "identifying":
        value = False
    other = with_column("age", **{name: value})
    assert changes(side(), ({"people": other}, {}, side()[2]))


HOURS = """@id("hours") permit (principal, action, resource) when {{ context.hour < {0} }};
"""


def test_longer_hours_let_out_more_and_shorter_ones_less() -> None:
    """Also where both are only at some times."""
    there = changes(side(HOURS.format(17)), side(HOURS.format(23)))
    assert there
    assert all(change.wider and "at other times" in change.what for change in there)
    assert changes(side(HOURS.format(17)), side(HOURS.format(17))) == ()


def test_an_unconditional_permit_beside_one_for_some_hours_is_told() -> None:
    """What everybody may at times does not hide what somebody may always."""
    always = '@id("police") permit (principal in Organisation::"police", action, resource);\n'
    found = changes(side(HOURS.format(17)), side(HOURS.format(17) + always))
    assert any(change.wider and change.what.startswith("police") for change in found)


def test_more_clearances_are_told_where_the_lowest_is_the_same() -> None:
    """A policy for one clearance exactly that becomes one for it and above."""
    for_one = '@id("a") permit (principal, action, resource) when { principal.clearance == 1 };'
    found = changes(side(for_one), side(for_one.replace("==", ">=")))
    assert any(change.where == "people" and "age" in change.what for change in found)


def test_a_longer_delay_before_persons_are_told_counts_as_more() -> None:
    """The other way round it is less."""
    later = replace(PEOPLE, delays=(("dpv:ResearchAndDevelopment", 3_650),))
    assert changes(side(), side(contract=later))[0].wider
    assert not changes(side(contract=later), side())[0].wider
