"""The same records give the same number: by other words, callers, departments' reloads."""

from __future__ import annotations

import math
import random
from collections import Counter
from pathlib import Path

import duckdb
import pytest

from nodes.load import load
from nodes.store import Store
from policies import odcs
from policies.cell_key import KEYS
from tests.disclosure.terms import cell_key, federation
from tests.people import TARGET, crowd, write
from tests.simulator import FederationSimulator

ROWS = [*crowd(400), TARGET]
COUNT = "SELECT count(*) FROM people WHERE sex = 'F'"


@pytest.fixture(scope="module")
def north(tmp_path_factory: pytest.TempPathFactory) -> FederationSimulator:
    """One department by cell key."""
    return federation(tmp_path_factory.mktemp("north"), ROWS, cell_key())


def number(north: FederationSimulator, sql: str, token: str | None = None) -> object:
    """The one number of a question."""
    ((found,),) = north.query(sql, token=token).rows()
    return found


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT count(*) FROM people WHERE NOT sex <> 'F'",
        "SELECT count(*) FROM people WHERE sex = 'F' AND age >= 0",
        "SELECT count(*) FROM people WHERE sex = 'F' AND age <> 17 AND district <> 'D9'",
        "SELECT count(age) FROM people WHERE sex IN ('F')",
    ],
)
def test_neutral_conditions_draw_no_second_perturbation(
    north: FederationSimulator, sql: str
) -> None:
    """Attack 50: hundreds of variants of one question are one number, and average to nothing."""
    assert number(north, sql) == number(north, COUNT)


def test_a_cell_is_the_same_in_every_table(north: FederationSimulator) -> None:
    """As a filter, as a group of one table and of another."""
    rows = north.query("SELECT sex, count(*) FROM people GROUP BY sex").rows()
    by_sex = {row[0]: row[1] for row in rows}
    assert by_sex["F"] == number(north, COUNT)
    crossed = north.query("SELECT sex, district, count(*) FROM people GROUP BY sex, district")
    for sex, district, found in crossed.rows():
        where = f"sex = '{sex}' AND district = '{district}'"
        assert number(north, f"SELECT count(*) FROM people WHERE {where}") == found


def test_two_callers_get_the_same_number(north: FederationSimulator) -> None:
    """A second account buys nothing."""
    other = north.token("bob", organisation="institute")
    assert number(north, COUNT, token=other) == number(north, COUNT)
    sums = "SELECT sum(income) FROM people"
    assert number(north, sums, token=other) == number(north, sums)


def test_a_reload_in_another_order_gives_the_same_numbers(tmp_path: Path) -> None:
    """Record keys are of the rows, not of the load; only a new secret makes new ones."""
    asked = "SELECT district, count(*), sum(income) FROM people GROUP BY district"
    north = federation(tmp_path / "a", ROWS, cell_key())
    before = north.query(asked).rows()
    shuffled = list(ROWS)
    random.Random(1).shuffle(shuffled)
    contract = odcs.read(cell_key(), "people")
    store = Store(tmp_path / "a" / "north" / "data")
    report = load(contract, write(shuffled, tmp_path / "again.csv"), store)
    assert not report.unchanged
    after = north.query(asked)
    assert after.rows() == before
    assert not any(note.kind == "remembered" for note in after.notes)
    elsewhere = federation(tmp_path / "b", ROWS, cell_key())
    assert elsewhere.query(asked).rows() != before


def test_the_secret_is_the_department_s_alone(tmp_path: Path) -> None:
    """Whoever has it and can guess the rows of a cell has its noise."""
    store = Store(tmp_path / "data")
    load(odcs.read(cell_key(), "people"), write(ROWS, tmp_path / "people.csv"), store)
    secret = tmp_path / "data" / "record.key"
    assert secret.stat().st_mode & 0o777 == 0o600
    secret.chmod(0o644)
    with pytest.raises(Exception, match="others can read"):
        store.record_secret()


def test_record_keys_are_uniform_and_tell_equal_rows_apart(tmp_path: Path) -> None:
    """Chi-square over 16 bins of 4,000 keys; false alarm about 1 in 10,000 runs."""
    store = Store(tmp_path / "data")
    rows = [*crowd(4_000), *[TARGET] * 3]
    load(odcs.read(cell_key(), "people"), write(rows, tmp_path / "people.csv"), store)
    with duckdb.connect(str(store.tables()["people"]), read_only=True) as connection:
        keys = [key for (key,) in connection.execute("SELECT __key FROM data").fetchall()]
        of_target = connection.execute(
            "SELECT count(DISTINCT __key), count(DISTINCT __unit_key) FROM data "
            "WHERE person_id = 4711"
        ).fetchone()
    assert of_target == (3, 1)
    seen = Counter(key * 16 // KEYS for key in keys)
    expected = len(keys) / 16
    chi = sum((seen[place] - expected) ** 2 / expected for place in range(16))
    assert chi < 15 * (1 - 2 / 135 + 3.72 * math.sqrt(2 / 135)) ** 3


def test_distinct_persons_keep_their_noise_when_rows_change(tmp_path: Path) -> None:
    """Conditions that drop rows but no person would otherwise draw again and again."""
    doubled = [(*row[:8], member, *row[9:]) for row in ROWS for member in (True, False)]
    north = federation(tmp_path, doubled, cell_key())
    asked = "SELECT district, count(DISTINCT person_id) FROM people {} GROUP BY district"
    everybody = north.query(asked.format("")).rows()
    assert north.query(asked.format("WHERE member")).rows() == everybody
    assert north.query(asked.format("WHERE NOT member")).rows() == everybody


def test_nothing_is_charged_and_everything_is_logged(tmp_path: Path) -> None:
    """No budget to run out of; the log has each question, and how many cells it withheld."""
    north = federation(tmp_path, ROWS, cell_key())
    for _ in range(30):
        answer = north.query("SELECT diagnosis, count(*) FROM people GROUP BY diagnosis")
    assert answer.rows()[2] == ("X1", None)
    assert answer.cost.epsilon == 0
    assert {note.kind for note in answer.notes} >= {"additivity", "withheld", "suppressed"}
    for log in (None, "north"):
        entries = [entry for entry in north.entries(log) if entry.kind == "query"]
        assert len(entries) == 30
        assert {entry.suppressed for entry in entries} == {1}
        assert {entry.charged_micro_rho for entry in entries} == {0}
        assert [entry.remembered for entry in entries] == [False] + [True] * 29
    assert north.nodes["north"].runs == 1
