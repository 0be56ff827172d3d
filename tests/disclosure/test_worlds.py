"""Three worlds: the target with a rare diagnosis, with a common one, and absent."""

from __future__ import annotations

from pathlib import Path

import pytest

from landbridge.errors import InvalidQuestion, LandbridgeError, Refused
from tests.disclosure.terms import cell_key, exact, federation
from tests.people import DISTRICTS, TARGET, crowd
from tests.simulator import FederationSimulator

CROWD = crowd(300)
WORLDS = {
    "rare": [*CROWD, TARGET],
    "common": [*CROWD, (*TARGET[:6], "flu", *TARGET[7:])],
    "absent": CROWD,
}
ABOUT_TARGET = "district = 'D7' AND age = 93 AND sex = 'F'"
QUESTIONS = (
    f"SELECT count(*) FROM people WHERE {ABOUT_TARGET} AND diagnosis = 'X1'",
    f"SELECT sum(income), avg(age) FROM people WHERE {ABOUT_TARGET}",
    "SELECT diagnosis, count(*) FROM people WHERE age > 90 GROUP BY diagnosis",
    "SELECT age, count(*), count(income) FROM people WHERE age > 85 GROUP BY age",
    "SELECT sum(income + 1) FROM people",
    "SELECT count(*) FROM people WHERE person_id = 4711",
    "SELECT sum(income) FROM people WHERE age > 92 AND age > 200",
)


def seen(north: FederationSimulator, sql: str) -> object:
    """Everything that a caller sees: rows, notes, or the refusal."""
    try:
        answer = north.query(sql)
    except LandbridgeError as refusal:
        return str(refusal)
    return answer.rows(), [str(note) for note in answer.notes]


@pytest.mark.parametrize("sql", QUESTIONS)
@pytest.mark.parametrize("terms", [cell_key(), exact()], ids=["cell_key", "exact"])
def test_small_cells_look_alike_whoever_is_in_them(tmp_path: Path, terms: bytes, sql: str) -> None:
    """None, one or the other: below the minimum there is one answer, byte for byte."""
    found = [seen(federation(tmp_path / world, rows, terms), sql) for world, rows in WORLDS.items()]
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize("terms", [cell_key(), exact()], ids=["cell_key", "exact"])
def test_refusals_and_shapes_do_not_depend_on_data(tmp_path: Path, terms: bytes) -> None:
    """Same cells, same columns, same reasons after the same history."""
    shapes = []
    for world, rows in WORLDS.items():
        north = federation(tmp_path / world, rows, terms)
        shape: list[object] = []
        for sql in (
            "SELECT district, diagnosis, count(*) FROM people GROUP BY district, diagnosis",
            "SELECT sex, sum(income) FROM people GROUP BY sex",
            "SELECT sum(income) FROM people WHERE NOT (age = 93)",
            "SELECT sum(age * 2) FROM people",
        ):
            try:
                answer = north.query(sql)
                shape.append([row[:-1] for row in answer.rows()])
            except LandbridgeError as refusal:
                shape.append(str(refusal))
        shapes.append(shape)
    assert shapes[0] == shapes[1] == shapes[2]
    assert "DIFFERENCING" in str(shapes[0][2])


def test_margins_do_not_give_a_withheld_cell_away(tmp_path: Path) -> None:
    """Attacks 24 and 25 with the product's own answers: the only X1 is in D7."""
    north = federation(tmp_path, WORLDS["rare"], exact())
    crossed = north.query(
        "SELECT district, diagnosis, count(*) FROM people GROUP BY district, diagnosis"
    ).rows()
    hidden = [row for row in crossed if row[2] is None]
    assert {("D7", "X1")} <= {row[:2] for row in hidden}
    for district in DISTRICTS:
        assert sum(row[0] == district for row in hidden) != 1
    rows = north.query("SELECT diagnosis, count(*) FROM people GROUP BY diagnosis").rows()
    by_diagnosis = {row[0]: row[1] for row in rows}
    assert by_diagnosis["X1"] is None
    assert list(by_diagnosis.values()).count(None) >= 2


def test_exact_numbers_are_for_named_organisations(tmp_path: Path) -> None:
    """The access policy permits the institute; the contract does not name it, so it sees none."""
    north = federation(tmp_path, CROWD, exact())
    with pytest.raises(Refused) as refused:
        north.query(
            "SELECT count(*) FROM people", token=north.token("bob", organisation="institute")
        )
    assert refused.value.reason == "NOT_AVAILABLE"
    assert north.query("SELECT count(*) FROM people").rows() == [(300,)]


def test_a_sum_of_arithmetic_is_refused_by_name(tmp_path: Path) -> None:
    """Attacks 31 and 32: a packed or shifted sum is a count in disguise."""
    north = federation(tmp_path, CROWD, exact())
    with pytest.raises(InvalidQuestion, match="plain columns only"):
        north.query("SELECT sum(income * age) FROM people")


def test_departments_add_up_and_one_that_withholds_withholds_the_total(tmp_path: Path) -> None:
    """A partial total would be the others' number under a wrong name."""
    from tests.people import write
    from tests.simulator import FederationSimulator as Simulator

    tmp_path.mkdir(exist_ok=True)
    rows = {
        "north": write(CROWD, tmp_path / "north.csv"),
        "east": write(CROWD[:12], tmp_path / "east.csv"),
    }
    both = Simulator(tmp_path, rows, exact())
    assert both.query("SELECT count(*) FROM people").rows() == [(312,)]
    found = both.query("SELECT sex, district, count(*) FROM people GROUP BY sex, district")
    assert all(row[2] is None for row in found.rows())
    assert both.entries()[-1].suppressed == 8
