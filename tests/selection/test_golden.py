"""Question -> SQL, for a statistician's eye: how values are counted, then their cells."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.sql import read
from landbridge.levels import Level
from nodes.compile import compile_question, compile_selection
from nodes.selection import select
from policies.disclosure import plan_release
from tests.selection.contracts import found
from tests.simulator import exact

GOLDEN = Path(__file__).parent / "golden"
ROWS = {"one_row_a_unit": 1, "many_rows_a_unit": 30, "beside_declared_keys": 3}


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.sql")), ids=lambda path: path.stem)
def test_golden_pairs(path: Path) -> None:
    """The question, the statement that counts units per value, and that of the cells; with
    values.
    """
    asked, *expected = path.read_text().split("\n---\n")
    contract = found("diagnosis", landbridgeRowsPerUnit=ROWS[path.stem])
    question = read(asked, lambda *_: contract, Level.RESTRICTED).question
    plan = plan_release(question, contract, 0, 1)
    selected = select(plan, [(4, "flu", 9_000), (2, "cold", 9_000), (3, "X1", 1)], exact)
    statements = (
        compile_selection(plan, contract),
        compile_question(selected.plan, contract, selected.codes),
    )
    assert [f"{each.sql}\n{list(each.parameters)}" for each in statements] == [
        part.rstrip("\n") for part in expected
    ]
