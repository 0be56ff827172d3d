"""Attacks 21 and 22: a key that only one person has, where values are found in the data.

The worlds of test_statements: t with a diagnosis that nobody else has, with a common one, absent.
With as large a delta and as much noise as the contract of tests.people allows, a single unit shows
with a probability below 10^-7; all of this file together raises a false alarm less than once in
10,000 runs.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest

from landbridge.errors import InvalidQuestion, LandbridgeError
from policies.noise import draw
from tests.attacks.test_statements import worlds
from tests.people import document, write
from tests.selection.contracts import found, planned
from tests.simulator import FederationSimulator

Simulate = Callable[..., FederationSimulator]
SQL = "SELECT diagnosis, count(*) AS n FROM {}.people GROUP BY diagnosis"


@pytest.fixture(scope="module")
def federation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FederationSimulator]:
    """One department per world, with real noise."""
    folder = tmp_path_factory.mktemp("worlds")
    files = {name: write(rows, folder / f"{name}.csv") for name, rows in worlds().items()}
    made = FederationSimulator(folder, files, document(found=("diagnosis",)), draw=draw)
    yield made
    made.close()


@pytest.mark.parametrize(
    "condition",
    [
        "",
        "WHERE diagnosis = 'X1'",
        "WHERE diagnosis LIKE 'X%'",
        "WHERE NOT diagnosis IN ('flu', 'cold')",
        "WHERE district='D7' AND age=93 AND sex='F'",
        "WHERE age > 90",
    ],
)
def test_a_rare_key_does_not_show_whatever_else_is_left_out(
    federation: FederationSimulator, condition: str
) -> None:
    """21: not by itself, and not where a filter leaves nobody but t."""
    for name in worlds():
        sql = SQL.format(name).replace("GROUP", f"{condition} GROUP")
        shown = {row[0] for row in federation.query(sql, epsilon=0.5).rows()}
        assert shown <= {"flu", "cold", None}
        if condition not in ("", "WHERE NOT diagnosis IN ('flu', 'cold')"):
            assert shown == {None}


def test_what_was_charged_and_logged_does_not_tell_the_worlds_apart(simulate: Simulate) -> None:
    """Cost, budget, notes and log entries are functions of the text; only noise decides the
    rows.
    """
    files = worlds()
    made = simulate(files, documents=document(found=("diagnosis",)), draw=draw)
    seen = set()
    for name in files:
        answer = made.query(SQL.format(name))
        entry = made.entries(name)[-1]
        notes = [note for note in answer.notes if note.kind != "untold"]
        seen.add(
            repr((answer.columns, notes, answer.cost, entry.charged_micro_rho, entry.suppressed,
                  made.nodes[name].runs)).replace(name, "?")
        )  # fmt: skip
        assert "X1" not in repr(entry)
    assert len(seen) == 1


def test_many_questions_show_a_single_unit_no_more_than_the_budget_lets_them(
    simulate: Simulate,
) -> None:
    """Asking until the budget ends, each time in another way: together still at most delta / 2."""
    made = simulate({"rare": worlds()["rare"]}, documents=document(found=("diagnosis",)), draw=draw)
    asked = 0
    with pytest.raises(LandbridgeError, match="BUDGET_EXHAUSTED"):
        for age in range(90, -1, -1):
            sql = SQL.format("rare").replace("GROUP", f"WHERE age > {age} GROUP")
            rows = made.query(sql, epsilon=1.5).rows()
            assert "X1" not in {row[0] for row in rows}
            asked += 1
    assert asked > 10
    assert planned(found())[1].delta * asked < 5e-7


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("SELECT diagnosis, count(*) FROM rare.people GROUP BY diagnosis", ""),
        ("SELECT name, count(*) FROM rare.people GROUP BY name", "NOT_AVAILABLE"),
        ("SELECT substr(diagnosis,1,1), count(*) FROM rare.people GROUP BY 1", "INVALID_QUESTION"),
        ("SELECT income, count(*) FROM rare.people GROUP BY income", "UNDECLARED_DOMAIN"),
        ("SELECT person_id, count(*) FROM rare.people GROUP BY person_id", "LEVEL_FORBIDS"),
        ("SELECT diagnosis FROM rare.people GROUP BY diagnosis", "INVALID_QUESTION"),
        ("SELECT min(diagnosis) FROM rare.people", "INVALID_QUESTION"),
        ("SELECT count(DISTINCT diagnosis) FROM rare.people", "INVALID_QUESTION"),
    ],
)
def test_opting_in_opens_one_column_and_nothing_else(
    federation: FederationSimulator, sql: str, reason: str
) -> None:
    """22: other columns, expressions over the column and its values by other means stay refused."""
    if not reason:
        assert federation.query(sql).rows()
        return
    runs = federation.nodes["rare"].runs
    with pytest.raises(LandbridgeError) as refused:
        federation.query(sql)
    assert refused.value.reason == reason
    assert federation.nodes["rare"].runs == runs


def test_a_column_whose_owner_did_not_opt_in_is_refused(simulate: Simulate) -> None:
    """22: the same text, refused alike in every world."""
    tree = json.loads(document(found=("diagnosis",)))
    for column in tree["schema"][0]["properties"]:
        if column["name"] == "diagnosis":
            del column["customProperties"]
    made = simulate(worlds(), documents=json.dumps(tree).encode())
    for name in worlds():
        with pytest.raises(InvalidQuestion) as refused:
            made.query(SQL.format(name))
        assert refused.value.reason == "UNDECLARED_DOMAIN"
        assert made.nodes[name].runs == 0
