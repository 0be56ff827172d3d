"""The SQLAlchemy dialect: what core compiles to, what reflection shows, what pandas reads."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date

import pandas as pd
import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine, make_url
from sqlalchemy.exc import ArgumentError, NoSuchTableError

from gateway.sql import read
from landbridge import dbapi, testing
from landbridge.dialect import LandbridgeDialect
from landbridge.directory import Member, OfferedColumn, OfferedContract
from landbridge.levels import Level
from landbridge.testing import Columns, MemoryGateway, released
from policies.contract import Type
from tests.people import contract
from tests.sdk.loopback import PURPOSE

COLUMNS: Columns = {"district": ["D1", None], "n": released([1_204, 18], within=12.5)}


def offered(name: str) -> OfferedContract:
    """The contract of tests/people as the directory shows it."""
    columns = tuple(
        OfferedColumn(each.name, each.type, each.level.label, f"The {each.name}.", grouping=True)
        for each in contract().columns
    )
    return OfferedContract(name, "Who lives here.", "dp", "person_id", columns, (PURPOSE,))


@pytest.fixture
def gateway() -> Iterator[MemoryGateway]:
    """Two departments serve people, one of them visits too."""
    with testing.gateway() as made:
        made.answers(None, COLUMNS)
        made.offers(
            Member("north", "North", True, (offered("people"), offered("visits")), ()),
            Member("south", "South", True, (offered("people"),), ()),
            Member("idle", "Idle", False, (), ()),
            Member("archive", "Archive", True, (replace(offered("deeds"), queryable=False),), ()),
        )
        yield made


@pytest.fixture
def engine(gateway: MemoryGateway) -> Engine:
    """An engine by its entry point, over the gateway in memory."""
    return sa.create_engine(
        "landbridge://gateway.example/",
        creator=lambda: dbapi.connect(client=gateway.client(), purpose=PURPOSE, epsilon=0.5),
    )


def test_the_entry_point_leads_to_the_dialect(engine: Engine) -> None:
    """`pip install` is all it takes for a tool that knows SQLAlchemy."""
    assert isinstance(engine.dialect, LandbridgeDialect)


def test_inspection_shows_the_directory(engine: Engine) -> None:
    """What Superset asks of every database: schemas, tables, views, columns, keys, comments."""
    found = sa.inspect(engine)
    assert found.get_schema_names() == ["north", "south"]
    assert found.get_table_names("north") == ["people", "visits"]
    assert found.get_table_names() == ["people", "visits"]
    assert found.get_view_names("north") == []
    columns = {column["name"]: column for column in found.get_columns("people", "south")}
    assert isinstance(columns["age"]["type"], sa.BigInteger)
    assert isinstance(columns["district"]["type"], sa.String)
    assert isinstance(columns["height"]["type"], sa.Double)
    assert isinstance(columns["moved"]["type"], sa.Date)
    assert columns["age"]["comment"] == "The age."
    assert found.get_table_comment("people", "south") == {"text": "Who lives here."}
    assert found.get_pk_constraint("people", "south")["constrained_columns"] == []
    assert found.get_foreign_keys("people", "south") == []
    assert found.get_indexes("people", "south") == []
    assert found.has_table("visits", "north")
    assert not found.has_table("visits", "south")
    with pytest.raises(NoSuchTableError):
        found.get_columns("salaries", "north")


@pytest.mark.parametrize("kind", Type)
def test_every_type_of_a_contract_has_one_of_sqlalchemy(kind: Type) -> None:
    """A type that is forgotten would show as text."""
    from landbridge.dialect import _TYPES

    assert kind in _TYPES


def test_a_reflected_table_is_asked_in_core(engine: Engine, gateway: MemoryGateway) -> None:
    """And its SQL is a question that the gateway's own reader accepts."""
    people = sa.Table("people", sa.MetaData(), schema="north", autoload_with=engine)
    n = sa.func.count().label("n")
    asked = (
        sa.select(people.c.district, n)
        .where(people.c.age >= 30, people.c.district.in_(["D1", "D2"]))
        .where(people.c.moved < date(2026, 1, 1), people.c.sex.like("F%"))
        .group_by(people.c.district)
        .having(n > 5)
        .order_by(n.desc())
        .limit(3)
    )
    with engine.connect() as connection:
        rows = connection.execute(asked).all()
    assert [tuple(row) for row in rows] == [("D1", 1_204), (None, 18)]
    sent = gateway.asked[-1]
    reading = read(
        sent.sql, lambda *_: contract(), Level.INTERNAL, frozenset(), values=sent.parameters
    )
    assert reading.department == "north"
    assert reading.presentation.limit == 3
    assert (sent.purpose, sent.epsilon) == (PURPOSE, 0.5)


def test_pandas_reads_sql(engine: Engine, gateway: MemoryGateway) -> None:
    """With a text and named parameters, as analysts write it."""
    text = sa.text(
        f"SELECT district, count(*) AS n FROM people WHERE age > :age GROUP BY district "
        f"/* purpose={PURPOSE} */"
    )
    frame = pd.read_sql(text, engine, params={"age": 30})
    assert frame["n"].tolist() == [1_204, 18]
    assert gateway.asked[-1].parameters == (30,)
    assert "age > ?" in gateway.asked[-1].sql


def test_a_refusal_keeps_its_reason(engine: Engine, gateway: MemoryGateway) -> None:
    """Behind SQLAlchemy's wrapping stands ours."""
    gateway.refuses("BUDGET_EXHAUSTED", hint="It renews in January.")
    with (
        engine.connect() as connection,
        pytest.raises(sa.exc.ProgrammingError, match="BUDGET_EXHAUSTED") as caught,
    ):
        connection.execute(sa.text("SELECT count(*) FROM people"))
    assert caught.value.orig is not None
    assert caught.value.orig.refusal.hint == "It renews in January."  # type: ignore[attr-defined]


def test_writing_reaches_the_gateway_and_is_refused_there(
    engine: Engine, gateway: MemoryGateway
) -> None:
    """The dialect keeps no list of its own of what is dangerous."""
    gateway.refuses("INVALID_QUESTION", lambda asked: asked.sql.startswith("INSERT"))
    table = sa.table("people", sa.column("age"))
    with engine.connect() as connection, pytest.raises(sa.exc.ProgrammingError):
        connection.execute(table.insert().values(age=1))


def test_a_url_says_everything() -> None:
    """Address, token, authority and what every question states."""
    url = make_url(
        "landbridge://gateway.example:4711/?token_file=/run/token&ca=/etc/ca.pem"
        "&purpose=dpv:Research&epsilon=0.5&partial=true&half_widths=true&mixed_dates=true&timeout=9"
    )
    (address,), named = LandbridgeDialect().create_connect_args(url)
    assert address == "gateway.example:4711"
    assert str(named["token"]) == "/run/token"
    assert str(named["ca"]) == "/etc/ca.pem"
    assert (named["purpose"], named["epsilon"], named["timeout"]) == ("dpv:Research", 0.5, 9.0)
    assert named["partial"] is True
    assert named["half_widths"] is True
    assert named["mixed_dates"] is True
    (address,), named = LandbridgeDialect().create_connect_args(make_url("landbridge://:abc@g/"))
    assert (address, named["token"]) == ("g:443", "abc")


@pytest.mark.parametrize(
    "url",
    [
        "landbridge://g/?epsilom=0.5",
        "landbridge://g/?epsilon=much",
        "landbridge://g/?partial=1",
        "landbridge://g/people",
        "landbridge://alice:abc@g/",
        "landbridge://:abc@g/?token_file=/run/token",
    ],
)
def test_a_url_that_is_not_understood_is_refused(url: str) -> None:
    """An option that is overlooked could cost a budget."""
    with pytest.raises(ArgumentError, match="landbridge URL"):
        LandbridgeDialect().create_connect_args(make_url(url))
