"""The owner's terms for tables: read strictly, each mistake named at its place."""

from __future__ import annotations

from typing import Any

import pytest

from policies import odcs
from policies.contract import CellKey, Dominance, Method
from tests.disclosure.terms import cell_key, exact


def test_every_term_is_read() -> None:
    """What the owner wrote is what the rules work with."""
    rules = {"landbridgeDominance": {"n": 2, "k": 75}, "landbridgePPercent": 15}
    keyed = odcs.read(cell_key(**rules), "people").disclosure
    assert keyed.method is Method.CELL_KEY
    assert keyed.cell_key == CellKey(5, 3.0, 2, 0.3)
    assert (keyed.minimum_units, keyed.dominance, keyed.p_percent) == (5, Dominance(2, 75), 15)
    named = odcs.read(exact(**rules, landbridgeRounding=3), "people").disclosure
    assert named.method is Method.EXACT
    assert (named.rounding, named.exact_for) == (3, frozenset({"university"}))
    assert named.maximum_cells == 1_000
    assert named.exact_by == ("district", "sex", "diagnosis")


@pytest.mark.parametrize(
    ("document", "terms", "problem"),
    [
        (cell_key, {"landbridgeMinimumUnits": -1}, "landbridgeMinimumUnits: must be a whole"),
        (exact, {"landbridgeMinimumUnits": 2}, "landbridgeMinimumUnits: must be a whole number"),
        (exact, {"landbridgeExactFor": []}, "landbridgeExactFor: must list from 1 to 100"),
        (exact, {"landbridgeExactFor": ["a b"]}, "must be an organisation as tokens name it"),
        (exact, {"landbridgeMaximumCells": 1_001}, "landbridgeMaximumCells: must be at most 1000"),
        (exact, {"landbridgeExactBy": None}, "landbridgeExactBy: is missing"),
        (exact, {"landbridgeExactBy": ["sex", "sex"]}, "is listed twice"),
        (exact, {"landbridgeExactBy": ["income"]}, "must name a column with a declared domain"),
        (exact, {"landbridgeExactBy": ["person_id"]}, "must name a column with a declared domain"),
        (
            exact,
            {"landbridgeExactBy": ["age", "district", "diagnosis"]},
            "landbridgeExactBy: must make at most 1000 cells; these columns make 1936",
        ),
        (exact, {"landbridgePPercent": 100}, "landbridgePPercent: must be a percentage"),
        (exact, {"landbridgeDominance": {"n": 1}}, "landbridgeDominance.k: is missing"),
        (exact, {"landbridgeCellKey": {"D": 5, "V": 3, "js": 2}}, "means nothing where method is"),
        (cell_key, {"landbridgeRounding": 5}, "means nothing where method is cell_key"),
        (cell_key, {"landbridgeCellKey": {"D": 5, "V": 2, "js": 2}}, "landbridgeCellKey.V: must"),
        (cell_key, {"landbridgeCellKey": {"D": 2, "V": 2.1, "js": 0}}, "landbridgeCellKey.V: must"),
        (cell_key, {"landbridgeCellKey": {"D": 2, "V": 2, "js": 3}}, "landbridgeCellKey.js: must"),
        (cell_key, {"landbridgeMethod": "dp"}, "landbridgeMinimumUnits: must be left out"),
        (cell_key, {"landbridgeProtectedUnit": "none"}, "must name a column"),
    ],
)
def test_a_mistake_is_named(document: Any, terms: dict[str, Any], problem: str) -> None:
    """An owner reads which term, and what would do."""
    with pytest.raises(odcs.ContractInvalid, match=r".") as invalid:
        odcs.read(document(**terms), "people")
    assert any(problem in each for each in invalid.value.problems), invalid.value.problems


@pytest.mark.parametrize("name", ["landbridgeMinimumUnits", "landbridgeCellKey"])
def test_a_term_that_is_needed_is_missed(name: str) -> None:
    """There is no default that an owner did not choose."""
    import json

    tree = json.loads(cell_key())
    tree["customProperties"] = [
        each for each in tree["customProperties"] if each["property"] != name
    ]
    with pytest.raises(odcs.ContractInvalid) as invalid:
        odcs.read(json.dumps(tree), "people")
    assert f"customProperties.{name}: is missing" in invalid.value.problems[0]
