"""Levels, column by column and clause by clause: what lies above the clearance does not exist.

`open < internal < restricted < sealed`. A column at or under the clearance can be used in every
clause; one above it, and every sealed one, is refused in the words that an unknown column gets.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from landbridge.errors import LandbridgeError
from landbridge.levels import Level
from policies import handler as handlers_format
from tests.gateway.test_existence import HANDLER
from tests.people import crowd, document
from tests.simulator import FederationSimulator

Simulate = Callable[..., FederationSimulator]

CLAUSES = {
    "select": "SELECT avg({0}) FROM people",
    "count": "SELECT count({0}) FROM people",
    "beside others": "SELECT sum(height * {0}) FROM people",
    "condition in an aggregate": "SELECT sum(CASE WHEN {0} > 3 THEN 1 ELSE 0 END) FROM people",
    "result of a condition": "SELECT sum(CASE WHEN sex = 'F' THEN {0} END) FROM people",
    "two columns": "SELECT corr(height, {0}) FROM people",
    "filter": "SELECT count(*) FROM people WHERE {0} > 3",
    "filter on NULL": "SELECT count(*) FROM people WHERE {0} IS NULL",
    "filter on a list": "SELECT count(*) FROM people WHERE {0} IN (1, 2)",
    "filter among others": "SELECT count(*) FROM people WHERE sex='F' OR NOT {0} BETWEEN 1 AND 2",
    "group": "SELECT {0}, count(*) FROM people GROUP BY {0}",
    "group by place": "SELECT {0}, count(*) FROM people GROUP BY 1",
    "group by alias": "SELECT {0} AS a, count(*) FROM people GROUP BY a",
    "buckets": "SELECT count(*) FROM people GROUP BY width_bucket({0}, 0, 100, 5)",
    "having": "SELECT count(*) FROM people HAVING avg({0}) > 3",
    "sort": "SELECT sex, count(*) FROM people GROUP BY sex ORDER BY avg({0})",
    "qualified": "SELECT avg(people.{0}) FROM people",
}
SORTED_BY_WHAT_IS_NOT_SELECTED = {"sort"}
"""Refused whatever the level is: ORDER BY takes outputs."""


def leveled(level: Level) -> bytes:
    """The contract with `age` at that level."""
    whole: dict[str, Any] = json.loads(document())
    for entry in whole["schema"][0]["properties"]:
        if entry["name"] == "age":
            entry["classification"] = level.label
            if level is Level.SEALED:
                entry.pop("customProperties", None)
    return json.dumps(whole).encode()


def said(federation: FederationSimulator, sql: str, clearance: Level) -> LandbridgeError | None:
    """What the question is refused with; None where it is answered."""
    try:
        federation.query(sql, token=federation.token(clearance=clearance.label))
    except LandbridgeError as refusal:
        return refusal
    return None


@pytest.mark.parametrize("level", Level)
def test_every_clause_keeps_to_the_levels(simulate: Simulate, level: Level) -> None:
    """For every clearance: answered at or over the level, unknown under it, sealed for all."""
    federation = simulate({"north": crowd(30)}, documents=leveled(level))
    for clause, sql in CLAUSES.items():
        for clearance in Level:
            refusal = said(federation, sql.format("age"), clearance)
            allowed = level <= clearance and level is not Level.SEALED
            if allowed and clause not in SORTED_BY_WHAT_IS_NOT_SELECTED:
                assert refusal is None, (clause, clearance)
            elif not allowed:
                assert refusal is not None, (clause, clearance)
                unknown = said(federation, sql.format("agf"), clearance)
                assert unknown is not None
                assert same(refusal, unknown), (clause, clearance)


def same(one: LandbridgeError, other: LandbridgeError) -> bool:
    """Whether two refusals differ in the name that was asked for only."""
    return (
        type(one) is type(other)
        and one.reason == other.reason
        and one.message.replace("age", "agf") == other.message
        and one.rule == other.rule
        and one.hint == other.hint
        and one.position == other.position
    )


@pytest.mark.parametrize("clause", CLAUSES)
def test_the_protected_unit_is_counted_and_nothing_else(simulate: Simulate, clause: str) -> None:
    """Its name is public, its values are nobody's, whatever the clearance."""
    federation = simulate({"north": crowd(30)})
    refusal = said(federation, CLAUSES[clause].format("person_id"), Level.SEALED)
    assert refusal is not None
    assert refusal.reason in ("LEVEL_FORBIDS", "INVALID_QUESTION")
    assert said(federation, "SELECT count(DISTINCT person_id) FROM people", Level.OPEN) is None


@pytest.mark.parametrize("clearance", Level)
def test_the_node_holds_the_levels_by_itself(simulate: Simulate, clearance: Level) -> None:
    """A gateway that lets everything pass changes nothing: the node reviews the question anew."""
    federation = simulate({"north": crowd(30)}, documents=leveled(Level.RESTRICTED))
    known = federation.departments.catalogue()
    served = known.table("people", None)
    everything = federation.token(clearance="restricted")
    asked: list[Any] = []
    node = federation.nodes["north"]
    federation.query("SELECT avg(age) FROM people", token=everything)
    asked.append(node.received[-1])
    forwarded = asked[0]
    forwarded.asking.token = federation.token(clearance=clearance.label)
    forwarded.asking.question_id = f"{int(clearance):032x}"
    forwarded = federation.signer.signing(forwarded)("north")
    assert served.contract.by_name["age"].level is Level.RESTRICTED
    if clearance >= Level.RESTRICTED:
        assert node.servicer.Answer(forwarded, federation.node_context()).release.measures
    else:
        with pytest.raises(LandbridgeError) as caught:
            node.servicer.Answer(forwarded, federation.node_context())
        assert caught.value.reason == "NOT_AVAILABLE"


@pytest.mark.parametrize("level", Level)
def test_a_join_opens_no_column_by_its_clause(simulate: Simulate, level: Level) -> None:
    """Joined on is the sealed unit alone; USING another column says the same whatever its level."""
    federation = simulate({"north": crowd(10)}, documents=leveled(level))
    for clearance in Level:
        sql = "SELECT count(*) FROM people JOIN people USING ({0})"
        one = said(federation, sql.format("age"), clearance)
        other = said(federation, sql.format("agf"), clearance)
        assert one is not None
        assert other is not None
        assert same(one, other), clearance
    assert federation.nodes["north"].runs == 0


@pytest.mark.parametrize("level", [Level.OPEN, Level.INTERNAL, Level.RESTRICTED])
def test_a_handler_and_its_arguments_keep_to_the_levels(simulate: Simulate, level: Level) -> None:
    """At or over its level it replies, under it it is unknown, whatever is said as an argument."""
    text = HANDLER.replace("level: internal", f"level: {level.label}")
    federation = simulate({"north": crowd(10)}, handlers=[handlers_format.read(text, "age.sql")])
    for clearance in Level:
        token = federation.token(clearance=clearance.label)
        found = []
        for name in ("north.age_band", "north.age_bend"):
            for arguments in ({"person_id": 10_001}, {"person_id": "x"}, {"age": 3}):
                try:
                    found.append(federation.call(name, token=token, **arguments).code)
                except LandbridgeError as refusal:
                    found.append(f"{refusal.reason} {refusal.message}")
        known, unknown = found[:3], found[3:]
        if level <= clearance:
            assert known[0] in ("YOUNG", "OLD")
            assert all(each.startswith("INVALID_ARGUMENT") for each in known[1:])
        else:
            assert [each.replace("age_band", "age_bend") for each in known] == unknown
        assert all(each.startswith("NOT_AVAILABLE") for each in unknown)
