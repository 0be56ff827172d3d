"""`landbridge.dbapi` beyond the compliance suite: what is ours in it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import pandas as pd
import pytest

from landbridge import dbapi, testing
from landbridge.errors import CATALOGUE, DeadlineExceeded, Fault, Unavailable
from landbridge.testing import Columns, MemoryGateway, released
from tests.sdk.loopback import PEOPLE, PURPOSE

COLUMNS: Columns = {"district": ["D1", None], "n": released([1_204, 18], within=12.5)}


@pytest.fixture
def gateway() -> Iterator[MemoryGateway]:
    """One that answers everything the same."""
    with testing.gateway() as made:
        made.answers(None, COLUMNS)
        yield made


def test_rows_and_the_answer_behind_them(gateway: MemoryGateway) -> None:
    """What PEP 249 has no name for is one attribute away."""
    cursor = dbapi.connect(client=gateway.client(), purpose=PURPOSE, epsilon=0.5).cursor()
    assert cursor.execute(PEOPLE).fetchall() == [("D1", 1_204), (None, 18)]
    assert cursor.rowcount == 2
    assert cursor.answer is not None
    assert cursor.answer.accuracy == {"n": [12.5, 12.5]}
    (asked,) = gateway.asked
    assert (asked.purpose, asked.epsilon) == (PURPOSE, 0.5)


def test_data_of_several_days_are_taken_by_a_connection_that_says_so(
    gateway: MemoryGateway,
) -> None:
    """Another asks for data of one day."""
    for mixed in (False, True):
        connection = dbapi.connect(client=gateway.client(), purpose=PURPOSE, mixed_dates=mixed)
        connection.cursor().execute(PEOPLE)
        assert gateway.asked[-1].mixed_dates is mixed


def test_half_widths_as_columns(gateway: MemoryGateway) -> None:
    """For tools that show columns and nothing else."""
    connection = dbapi.connect(client=gateway.client(), purpose=PURPOSE, half_widths=True)
    cursor = connection.cursor().execute(PEOPLE)
    assert cursor.description is not None
    assert [column[0] for column in cursor.description] == ["district", "n", "n_half_width"]
    assert list(cursor) == [("D1", 1_204, 12.5), (None, 18, 12.5)]


def test_parameters_travel_as_values(gateway: MemoryGateway) -> None:
    """Never spliced into the text."""
    cursor = dbapi.connect(client=gateway.client(), purpose=PURPOSE).cursor()
    evil = "' OR 1=1 --"
    cursor.execute("SELECT count(*) FROM people WHERE a = ? AND b < ?", [evil, date(2026, 1, 1)])
    (asked,) = gateway.asked
    assert asked.sql.count("?") == 2
    assert asked.parameters == (evil, date(2026, 1, 1))


def test_purpose_and_epsilon_may_stand_in_the_statement(gateway: MemoryGateway) -> None:
    """And must not contradict the connection."""
    cursor = dbapi.connect(client=gateway.client()).cursor()
    cursor.execute(f"/* purpose={PURPOSE}, epsilon=0.25 */ {PEOPLE}")
    assert (gateway.asked[0].purpose, gateway.asked[0].epsilon) == (PURPOSE, 0.25)
    with pytest.raises(dbapi.ProgrammingError, match="PURPOSE_MISSING"):
        cursor.execute(PEOPLE)
    cursor = dbapi.connect(client=gateway.client(), purpose=PURPOSE, epsilon=1).cursor()
    with pytest.raises(dbapi.ProgrammingError, match="two different epsilons"):
        cursor.execute(f"/* epsilon=0.25 */ {PEOPLE}")
    assert len(gateway.asked) == 1


@pytest.mark.parametrize("reason", CATALOGUE)
def test_every_reason_is_an_exception_of_pep_249_with_ours_behind_it(reason: str) -> None:
    """So `except dbapi.Error` is enough, and the reason is not lost."""
    with testing.gateway() as gateway:
        gateway.refuses(reason)
        cursor = dbapi.connect(client=gateway.client(), purpose=PURPOSE).cursor()
        with pytest.raises(dbapi.DatabaseError) as caught:
            cursor.execute(PEOPLE)
    refusal = caught.value.refusal
    assert refusal is not None
    assert refusal.reason == reason
    expected = {Unavailable: "Operational", DeadlineExceeded: "Operational", Fault: "Internal"}
    kind = expected.get(CATALOGUE[reason].exception, "Programming")
    assert type(caught.value).__name__ == f"{kind}Error"
    with pytest.raises(dbapi.InterfaceError):
        cursor.fetchall()


def test_a_failed_question_leaves_no_earlier_answer(gateway: MemoryGateway) -> None:
    """Rows of the question before would be read as those of this one."""
    cursor = dbapi.connect(client=gateway.client(), purpose=PURPOSE).cursor()
    cursor.execute(PEOPLE)
    gateway.refuses("ACCESS_DENIED")
    with pytest.raises(dbapi.ProgrammingError):
        cursor.execute(PEOPLE)
    assert (cursor.answer, cursor.description, cursor.rowcount) == (None, None, -1)
    with pytest.raises(dbapi.InterfaceError):
        cursor.fetchone()


@pytest.mark.parametrize("epsilon", [0, -1, float("nan"), "x", True])
def test_an_epsilon_that_is_none_is_refused_at_the_connection(epsilon: object) -> None:
    """Arriving as 0 it would be the contract's default."""
    with testing.gateway() as gateway, pytest.raises(dbapi.ProgrammingError):
        dbapi.connect(client=gateway.client(), purpose=PURPOSE, epsilon=epsilon)  # type: ignore[arg-type]


@pytest.mark.filterwarnings("ignore:pandas only supports SQLAlchemy:UserWarning")
def test_pandas_reads_from_a_connection(gateway: MemoryGateway) -> None:
    """Its own fallback for PEP 249."""
    with dbapi.connect(client=gateway.client(), purpose=PURPOSE) as connection:
        frame = pd.read_sql(PEOPLE, connection)  # type: ignore[call-overload]
    assert frame["n"].tolist() == [1_204, 18]
