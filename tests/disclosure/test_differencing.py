"""Two exact answers whose difference is one person are not both given."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from landbridge.errors import Refused
from nodes.history import History
from policies import odcs
from policies.differencing import Asked, Condition
from tests.disclosure.terms import cell_key, exact, federation
from tests.people import TARGET, crowd
from tests.simulator import FederationSimulator

ROWS = [*crowd(300), TARGET]
BUT_TARGET = "WHERE NOT (district = 'D7' AND age = 93 AND sex = 'F')"
EVERYBODY = "SELECT sum(income) FROM people"


@pytest.fixture
def offices(tmp_path: Path) -> FederationSimulator:
    """Exact, for two organisations."""
    terms = exact(landbridgeExactFor=["university", "institute"])
    return federation(tmp_path, ROWS, terms)


@pytest.mark.parametrize("first", [EVERYBODY, f"{EVERYBODY} {BUT_TARGET}"])
def test_the_second_half_of_a_difference_is_refused(
    offices: FederationSimulator, first: str
) -> None:
    """Attacks 3 and 4, in either order and by another organisation; no data is read for it."""
    second = f"{EVERYBODY} {BUT_TARGET}" if first == EVERYBODY else EVERYBODY
    offices.query(first)
    runs = offices.nodes["north"].runs
    for _ in range(2):  # a refused question is not remembered as one that was answered
        with pytest.raises(Refused) as refused:
            offices.query(second, token=offices.token("bob", organisation="institute"))
        assert (refused.value.reason, refused.value.rule) == ("DIFFERENCING", "north/differencing")
        assert "93" not in str(refused.value)
    with pytest.raises(Refused):
        offices.explain(second)
    assert offices.nodes["north"].runs == runs
    assert offices.entries("north")[-1].rule == "differencing"
    offices.query(first)


def test_explaining_a_question_does_not_spend_it(offices: FederationSimulator) -> None:
    """Nothing was answered, so there is nothing to difference with."""
    offices.explain(f"{EVERYBODY} {BUT_TARGET}")
    offices.query(EVERYBODY)


def test_disjoint_filters_and_other_columns_are_answered(offices: FederationSimulator) -> None:
    """Parts that share no row have no small difference."""
    for sql in (
        "SELECT sex, sum(income) FROM people WHERE age BETWEEN 20 AND 39 GROUP BY sex",
        "SELECT district, count(*) FROM people WHERE age >= 20 AND age <= 39 GROUP BY district",
        "SELECT sum(income) FROM people WHERE age BETWEEN 40 AND 59",
        "SELECT sum(income) FROM people WHERE age > 60",
    ):
        assert offices.query(sql).rows()
    with pytest.raises(Refused):
        offices.query("SELECT sum(income) FROM people WHERE age BETWEEN 40 AND 58")  # attack 27
    with pytest.raises(Refused):
        offices.query("SELECT sum(income) FROM people WHERE age > 60 AND sex = 'F'")


def test_the_history_survives_a_restart(tmp_path: Path) -> None:
    """A difference over a restart, or over days, is one too."""
    contract = odcs.read(exact(), "people")
    before = Asked((), ("income",))
    history = History(tmp_path / "history.sqlite")
    history.admit(contract, before)
    history.close()
    again = History(tmp_path / "history.sqlite")
    with pytest.raises(Refused, match="another filter"):
        again.admit(contract, Asked((Condition("age <> 93", ("age",)),), ("income",)))
    again.admit(contract, before)
    again.admit(odcs.read(exact(landbridgeMinimumUnits=6), "people"), Asked((), ()))
    again.close()


def test_of_two_at_once_one_is_answered(tmp_path: Path) -> None:
    """Compared and remembered in one transaction."""
    contract = odcs.read(exact(), "people")
    history = History(tmp_path / "history.sqlite")

    def ask(number: int) -> bool:
        try:
            history.admit(contract, Asked((Condition(f"age <> {number}", ("age",)),), ()))
        except Refused:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(ask, range(40))) == 1
    history.close()


def test_by_cell_key_sums_are_judged_and_counts_are_not(tmp_path: Path) -> None:
    """The noise of a count hides one person; that of a sum hides a share of the largest."""
    north = federation(tmp_path, ROWS, cell_key())
    counted = "SELECT count(*) FROM people"
    assert north.query(counted).rows()
    assert north.query(f"{counted} {BUT_TARGET}").rows()
    north.query(EVERYBODY)
    with pytest.raises(Refused, match="another filter"):
        north.query(f"{EVERYBODY} {BUT_TARGET}")
    assert north.query(f"SELECT sum(height) FROM people {BUT_TARGET}").rows()


def test_an_owner_can_say_that_a_column_identifies_nobody(tmp_path: Path) -> None:
    """Then conditions on it are no differencing of sums by cell key."""
    import json

    tree = json.loads(cell_key())
    for column in tree["schema"][0]["properties"]:
        if column["name"] == "member":
            column.setdefault("customProperties", []).append(
                {"property": "landbridgeIdentifying", "value": False}
            )
    north = federation(tmp_path, ROWS, json.dumps(tree).encode())
    north.query(EVERYBODY)
    assert north.query(f"{EVERYBODY} WHERE member").rows()
    with pytest.raises(Refused, match="another filter"):
        north.query(f"{EVERYBODY} WHERE member AND age < 40")


def test_names_do_not_stand_in_the_history(tmp_path: Path) -> None:
    """What a caller compares a name with is kept as a keyed digest."""
    north = federation(tmp_path, ROWS, exact())
    token = north.token(clearance="restricted")
    north.query("SELECT count(*) FROM people WHERE name = 'Zoltan Q'", token=token)
    north.close()
    for path in (tmp_path / "north").glob("history.sqlite*"):
        assert b"Zoltan" not in path.read_bytes()
