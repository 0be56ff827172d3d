"""PostgreSQL under a node: what is refused at the start, how a run fails, and how it is ended."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from datetime import date, datetime
from decimal import Decimal
from functools import partial
from typing import Any

import psycopg
import pytest
from hypothesis import strategies as st

from landbridge.edge import wanted
from landbridge.errors import CATALOGUE, LandbridgeError
from landbridge.protocols.pseudonyms import BLOCK, blocks
from nodes.dialects.dialect import Part
from nodes.engines.engine import EngineNotStarted
from nodes.engines.found import Rule
from nodes.engines.kind import Kind
from nodes.engines.postgresql.engine import PostgreSQLEngine
from nodes.load_report import LoadRefused
from policies.contract import Contract, Type
from tests import people
from tests.callers import Caller
from tests.engines import shapes
from tests.engines.places import Database
from tests.policies.documents import column

CONTRACT = people.contract()
ROWS = [*people.crowd(40), people.TARGET]


@pytest.fixture(scope="module")
def department(database: Callable[[], Database]) -> Database:
    """One that has loaded its people."""
    made = database()
    made.load(CONTRACT, ROWS)
    return made


@pytest.fixture
def engine(department: Database) -> Iterator[PostgreSQLEngine]:
    """Over them, with two sessions."""
    opened = department.engine(workers=2)
    yield opened
    opened.close()


# At the start.

EXCESSES = {
    "writes": ("GRANT INSERT ON registry.rows_0 TO reader", "can write to registry.rows_0"),
    "one column": ("GRANT UPDATE (age) ON registry.rows_0 TO reader", "can write to"),
    "reads the source": (
        "GRANT SELECT ON registry.rows_0 TO reader",
        "sees more .*registry.rows_0",
    ),
    "reads a column": ("GRANT SELECT (name) ON registry.rows_0 TO reader", "sees more"),
    "through everybody": ("GRANT SELECT ON registry.rows_0 TO PUBLIC", "sees more"),
    "a view": (
        "CREATE VIEW registry.seen AS SELECT name FROM registry.rows_0; "
        "GRANT SELECT ON registry.seen TO reader",
        "sees more .*registry.seen",
    ),
    "a table like ours": (
        "CREATE TABLE landbridge.data_x (a int); GRANT SELECT ON landbridge.data_x TO reader",
        "sees more .*landbridge.data_x",
    ),
    "makes tables": ("GRANT CREATE ON SCHEMA registry TO reader", "can create in schema registry"),
    "makes temporary ones": ("GRANT TEMPORARY ON DATABASE {0} TO reader", "can create in database"),
    "makes schemas": ("GRANT CREATE ON DATABASE {0} TO reader", "can create in database"),
    "is another": ("GRANT loader TO reader", "is a member of loader"),
    "reads all data": ("GRANT pg_read_all_data TO reader", "is a member of pg_read_all_data"),
    "owns a table": (
        "CREATE TABLE registry.own (a int); ALTER TABLE registry.own OWNER TO reader",
        "can write to registry.own",
    ),
    "a function of its owner's": (
        "CREATE FUNCTION registry.all_of_it() RETURNS bigint LANGUAGE sql SECURITY DEFINER "
        "AS 'SELECT count(*) FROM registry.rows_0'",
        "can run as their owners registry.all_of_it",
    ),
    "a sequence": (
        "CREATE SEQUENCE registry.counter; GRANT USAGE ON registry.counter TO reader",
        "can write to registry.counter",
    ),
    "superuser": ("ALTER ROLE reader SUPERUSER", "is a superuser"),
    "no row-level security": ("ALTER ROLE reader BYPASSRLS", "bypasses row-level security"),
    "makes roles": ("ALTER ROLE reader CREATEROLE", "can create roles"),
    "replicates": ("ALTER ROLE reader REPLICATION", "can replicate"),
}
PLAIN = (
    "ALTER ROLE reader NOSUPERUSER NOBYPASSRLS NOCREATEROLE NOREPLICATION",
    "REVOKE loader, pg_read_all_data FROM reader",
    "REVOKE ALL ON ALL TABLES IN SCHEMA registry FROM reader, PUBLIC",
    "REVOKE UPDATE (age), SELECT (name) ON registry.rows_0 FROM reader",
    "REVOKE ALL ON ALL SEQUENCES IN SCHEMA registry FROM reader",
    "REVOKE CREATE ON SCHEMA registry FROM reader",
    "REVOKE ALL ON DATABASE {0} FROM reader",
    "DROP FUNCTION IF EXISTS registry.all_of_it()",
    "DROP TABLE IF EXISTS registry.own, landbridge.data_x",
    "DROP VIEW IF EXISTS registry.seen",
)


@pytest.mark.parametrize("name", EXCESSES)
def test_a_role_that_can_more_than_read_its_tables_stops_the_start(
    department: Database, name: str
) -> None:
    """Whatever way the right came, and whoever gave it; the sentence names role and object."""
    statement, said = EXCESSES[name]
    try:
        department.run(statement.format(department.name))
        with pytest.raises(EngineNotStarted, match=f"role reader {said}"):
            department.engine()
    finally:
        department.run(*(each.format(department.name) for each in PLAIN))
    department.engine().close()


def test_tables_of_another_contract_are_not_seen(department: Database) -> None:
    """A node that shares its schema with another would read that one's."""
    tables = department.store.tables()
    with pytest.raises(EngineNotStarted, match="sees more than its contracts' tables"):
        PostgreSQLEngine({}, department.reader, "landbridge", ("visits",))
    PostgreSQLEngine(tables, department.reader, "landbridge", ("visits", "people")).close()


def test_a_server_that_lets_nobody_in_is_an_operators_error(department: Database) -> None:
    """Nothing of what the server said, which names users and hosts."""
    with pytest.raises(EngineNotStarted, match="does not let this node in") as caught:
        PostgreSQLEngine({}, department.reader + " host=/nowhere", "landbridge", ())
    assert caught.value.__context__ is None


def test_a_table_that_is_gone_stops_the_start(department: Database) -> None:
    """Dropped by hand, say, or another database."""
    path = department.store.tables()["people"].with_stem("0" * 32)
    with pytest.raises(EngineNotStarted, match="table of people is not there; load it again"):
        PostgreSQLEngine({"people": path}, department.reader, "landbridge", ("people",))
    elsewhere = path.with_suffix(Kind.DUCKDB.suffix)
    with pytest.raises(EngineNotStarted, match="loaded for another engine"):
        PostgreSQLEngine({"people": elsewhere}, department.reader, "landbridge", ("people",))


# Runs.


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT 1 / (SELECT 0)",
        "SELECT CAST(name AS bigint) FROM people",
        "SELECT nothing FROM people",
        "SELECT this is no SQL",
        "SELECT 1; SELECT 2",
        "DELETE FROM people",
        "SELECT * FROM registry.rows_0",
        "SELECT pg_read_file('/etc/passwd')",
        "SELECT name FROM people",
        "SELECT ARRAY[1, 2]",
        "SELECT 0.5::numeric",
        "SELECT 'infinity'::date",
        "SELECT pg_terminate_backend(pg_backend_pid())",
        "SELECT 1) AS x; DROP TABLE registry.rows_0; SELECT * FROM (SELECT 1",
    ],
)
def test_every_failure_is_the_same(engine: PostgreSQLEngine, statement: str) -> None:
    """The server's own words quote the data: none of them is in the error, its cause or context."""
    with pytest.raises(LandbridgeError) as caught:
        engine.run(statement, [], timeout=20, maximum_rows=20)
    assert caught.value.reason == "RUN_FAILED"
    assert CATALOGUE["RUN_FAILED"].sentence in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    assert engine.run("SELECT 1", [], timeout=20, maximum_rows=1) == [(1,)]


def test_values_cross_as_they_are(engine: PostgreSQLEngine) -> None:
    """Doubles to the last bit, sums of whole numbers whole, days and moments as ISO 8601."""
    rows = engine.run(
        "SELECT $1::float8, sum(x::bigint), '2013-01-31'::date, '2013-01-31 05:00'::timestamp, "
        "$2::text, $3::boolean, NULL FROM (VALUES ($4::bigint), ($4)) AS v(x)",
        [0.1 + 0.2, "é'$1", True, 2**62],
        timeout=20,
        maximum_rows=1,
    )
    assert rows == [(0.1 + 0.2, 2**63, "2013-01-31", "2013-01-31T05:00:00", "é'$1", True, None)]
    assert type(rows[0][1]) is int


def test_what_a_statement_wrote_is_not_kept(engine: PostgreSQLEngine, department: Database) -> None:
    """Large objects are everybody's to make, also where one reads only; the end takes them back."""
    engine.run("SELECT lo_creat(-1)", [], timeout=9, maximum_rows=1)
    with psycopg.connect(department.owner) as owner:
        found = owner.execute("SELECT count(*) FROM pg_largeobject_metadata").fetchone()
    assert found == (0,)


def test_each_run_starts_from_the_same_state(engine: PostgreSQLEngine) -> None:
    """A setting that a statement changed in its session is the next one's no more."""
    shown = "SELECT current_setting('statement_timeout'), current_setting('search_path')"
    engine.run("SELECT set_config('search_path', 'registry', false)", [], timeout=9, maximum_rows=1)
    engine.run("SELECT pg_advisory_lock(7)::text", [], timeout=9, maximum_rows=1)
    ((_, path),) = engine.run(shown, [], timeout=9, maximum_rows=1)
    assert path == ""
    held = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"
    assert engine.run(held, [], timeout=9, maximum_rows=1) == [(0,)]


def running(department: Database) -> int:
    """Statements of the node that the server works on."""
    with psycopg.connect(department.owner) as owner:
        found = owner.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE usename = 'reader' AND state = 'active'"
        ).fetchone()
    assert found is not None
    return int(found[0])


def until(condition: Callable[[], bool]) -> None:
    """Waits for it, not for ever."""
    for _ in range(400):
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError("it did not come to that")


def failure_of(call: Callable[[], object]) -> str:
    """The reason for which it fails."""
    with pytest.raises(LandbridgeError) as caught:
        call()
    assert caught.value.__context__ is None
    return str(caught.value.reason)


SLEEP = "SELECT pg_sleep(60)::text"


def test_a_run_over_its_time_is_ended_at_the_server(
    engine: PostgreSQLEngine, department: Database
) -> None:
    """DEADLINE for the caller, and nothing goes on there."""
    assert failure_of(lambda: engine.run(SLEEP, [], timeout=0.3, maximum_rows=1)) == "DEADLINE"
    until(lambda: running(department) == 0)
    assert failure_of(lambda: engine.run(SLEEP, [], timeout=0, maximum_rows=1)) == "DEADLINE"


def test_closing_ends_what_runs_at_the_server(department: Database) -> None:
    """A node that stops leaves no statement behind; later runs say that it stops."""
    engine = department.engine()
    reasons: list[str] = []
    asking = threading.Thread(
        target=lambda: reasons.append(
            failure_of(lambda: engine.run(SLEEP, [], timeout=60, maximum_rows=1))
        )
    )
    asking.start()
    until(lambda: running(department) == 1)
    engine.close()
    asking.join(20)
    assert reasons == ["RUN_FAILED"]
    until(lambda: running(department) == 0)
    late = failure_of(lambda: engine.run("SELECT 1", [], timeout=9, maximum_rows=1))
    assert late == "SHUTTING_DOWN"


def test_what_nobody_waits_for_ends_at_the_server(
    engine: PostgreSQLEngine, department: Database
) -> None:
    """A caller that cancels must not leave a statement behind that works on for minutes."""
    caller = Caller()
    reasons: list[str] = []

    def ask() -> None:
        with wanted.call(caller.context), wanted.repeatable():
            reasons.append(failure_of(lambda: engine.run(SLEEP, [], timeout=60, maximum_rows=1)))

    asking = threading.Thread(target=ask)
    asking.start()
    until(lambda: running(department) == 1)
    caller.leave()
    asking.join(20)
    assert reasons == ["RUN_FAILED"]
    until(lambda: running(department) == 0)
    with wanted.call(caller.context), wanted.repeatable():
        late = failure_of(lambda: engine.run("SELECT 1", [], timeout=9, maximum_rows=1))
    assert late == "DEADLINE"


def test_a_server_that_says_nothing_any_more_is_not_waited_for(
    department: Database,
) -> None:
    """Its process is stopped in the middle: the deadline holds all the same."""
    engine = department.engine()
    ((pid,),) = engine.run("SELECT pg_backend_pid()", [], timeout=9, maximum_rows=1)
    assert isinstance(pid, int)
    os.kill(pid, signal.SIGSTOP)
    try:
        reason = failure_of(lambda: engine.run("SELECT 1", [], timeout=0.3, maximum_rows=1))
    finally:
        os.kill(pid, signal.SIGCONT)
    assert reason == "DEADLINE"
    assert engine.run("SELECT 1", [], timeout=9, maximum_rows=1) == [(1,)]
    engine.close()


def test_a_session_that_the_server_ended_is_replaced(department: Database) -> None:
    """After a restart of the server no caller pays for it."""
    engine = department.engine()
    department.run(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'reader'"
    )
    assert engine.run("SELECT 1", [], timeout=9, maximum_rows=1) == [(1,)]
    engine.close()


# Linked questions.


def test_the_blocks_of_keys_are_everybodys(department: Database) -> None:
    """A person is the same to a department with DuckDB and to one with PostgreSQL."""
    keys = ["", "1", "é", "x" * 15, "x" * 16, "日本語の名前です", "a" * 300]
    engine = department.engine()
    dialect = engine.dialect
    values = ", ".join(f"(${n}::text)" for n in range(1, len(keys) + 1))
    (in_part,) = dialect.part("k", Part(1, 3, 0, None), lambda number: f"{number}::bigint")
    found = engine.columns(
        f"SELECT {dialect.block('k')}, 5::bigint, ({in_part})::int::bigint "
        f"FROM (VALUES {values}) AS v(k)",
        keys, timeout=9, maximum_rows=10,
    )  # fmt: skip
    assert found[0] == blocks(key.encode() for key in keys).tobytes()
    assert len(found[1]) == len(found[2]) == 8 * len(keys)
    for kind, value, spelt in (
        (Type.INTEGER, "'-7'::bigint", "-7"),
        (Type.BOOLEAN, "true", "true"),
        (Type.DATE, "'2013-01-31'::date", "2013-01-31"),
        (Type.TIMESTAMP, "'2013-01-31 05:00:00.5'::timestamp", "2013-01-31T05:00:00.500000"),
    ):
        text = f"SELECT {dialect.text(value, kind)}"
        assert engine.run(text, [], timeout=9, maximum_rows=1) == [(spelt,)]
    empty = engine.columns(
        f"SELECT {dialect.block('name')}, 1::bigint FROM people WHERE false", [],
        timeout=9, maximum_rows=10,
    )  # fmt: skip
    assert empty == [b"", b""]
    for wrong in ("SELECT 'x'::bytea, 1::bigint", f"SELECT '{'x' * BLOCK}'::bytea, 1.5::numeric"):
        asked = partial(engine.columns, wrong, [], timeout=9, maximum_rows=9)
        assert failure_of(asked) == "RUN_FAILED"
    engine.close()


# Loads.


def test_every_row_is_in_the_table_with_its_rank(department: Database) -> None:
    """A unit's ranks are 1, 2, ..., and its number is its own."""
    contract = people.contract(landbridgeRowsPerUnit=2)
    rows = [(row[0] % 7, *row[1:]) for row in people.crowd(50)]
    report = department.load(contract, rows)
    assert report.loaded is not None
    engine = department.engine()
    found = engine.run(
        'SELECT person_id, "__unit", "__rank" FROM people', [], timeout=9, maximum_rows=99
    )
    engine.close()
    ranks: dict[Any, list[Any]] = {}
    for person, _, rank in found:
        ranks.setdefault(person, []).append(rank)
    assert len(found) == 50
    assert len({unit for _, unit, _ in found}) == len(ranks) == report.loaded.units == 7
    assert all(sorted(each) == list(range(1, len(each) + 1)) for each in ranks.values())
    assert report.loaded.largest_unit == max(map(len, ranks.values()))
    department.load(CONTRACT, ROWS)


def violations(caught: pytest.ExceptionInfo[LoadRefused]) -> set[tuple[str, Rule, int]]:
    """Column, rule, rows."""
    return {(each.column, each.rule, each.rows) for each in caught.value.report.violations}


def test_rows_that_break_the_contract_load_nothing(department: Database) -> None:
    """All of them are counted, no value is told, and what was served still is."""
    served = department.store.tables()
    good = dict(zip(people.COLUMNS, ROWS[0], strict=True))
    bad = [
        {**good, "age": 121},
        {**good, "age": -1},
        {**good, "district": "D4711"},
        {**good, "sex": None},
        {**good, "height": 2.6},
    ]
    with pytest.raises(LoadRefused) as caught:
        department.load(CONTRACT, [tuple(row.values()) for row in (good, *bad)])
    assert violations(caught) == {
        ("age", Rule.BOUNDS, 2),
        ("age", Rule.DOMAIN, 2),
        ("district", Rule.DOMAIN, 1),
        ("sex", Rule.NULL, 1),
        ("height", Rule.BOUNDS, 1),
    }
    assert "4711" not in str(caught.value)
    assert department.store.tables() == served
    with pytest.raises(LoadRefused) as caught:
        department.load_from(CONTRACT, "registry.nothing")
    assert violations(caught) == {("", Rule.UNREADABLE, 0)}


CASTS: tuple[tuple[str, str, list[Any], list[Any]], ...] = (
    ("integer", "numeric", [Decimal(5), Decimal("5.5"), Decimal("1e30"), Decimal("NaN")], [5]),
    ("integer", "float8", [5.0, 5.5, 2.0**63, float("nan"), float("inf")], [5]),
    ("integer", "int2", [5, -5], [5, -5]),
    ("integer", "text", ["5"], []),
    ("number", "int8", [5, 2**53, 2**53 + 1, 2**63 - 1], [5.0, 2.0**53]),
    ("number", "numeric", [Decimal("0.1"), Decimal("1e999"), Decimal("1e-999")], [0.1]),
    ("number", "float4", [0.5, float("inf"), float("nan")], [0.5]),
    ("number", "float8", [-0.0, float("-inf")], [0.0]),
    ("string", "varchar(9)", ["a", "é"], ["a", "é"]),
    ("string", "int4", [7], ["7"]),
    ("string", "float8", [7.0], []),
    ("boolean", "boolean", [True, False], [True, False]),
    ("boolean", "int4", [1], []),
    ("date", "date", [date(2024, 2, 29), "infinity", "20000-01-01"], ["2024-02-29"]),
    (
        "date",
        "timestamp",
        [datetime.fromisoformat("2024-02-29"), datetime.fromisoformat("2024-02-29T00:00:01")],
        ["2024-02-29"],
    ),
    ("timestamp", "timestamptz", ["2024-02-29 05:00+02", "infinity"], ["2024-02-29T03:00:00"]),
    ("timestamp", "date", [date(2024, 2, 29), "-infinity"], ["2024-02-29T00:00:00"]),
    ("timestamp", "text", ["2024-02-29"], []),
)


@pytest.mark.parametrize(
    ("kind", "source", "values", "kept"), CASTS, ids=[f"{c[1]} as {c[0]}" for c in CASTS]
)
def test_a_value_fits_its_type_or_is_told(
    department: Database, kind: str, source: str, values: list[Any], kept: list[Any]
) -> None:
    """Nothing is rounded, cut or guessed; what does not fit is counted, and no cast raises."""
    contract = _one_column(kind)
    types = {"person_id": "text", "c": source}
    rows = [(f"u{place}", value) for place, value in enumerate(values)]
    lost = len(values) - len(kept)
    if lost:
        with pytest.raises(LoadRefused) as caught:
            department.load_from(contract, department.source(contract, rows, types))
        assert violations(caught) == {("c", Rule.TYPE, lost)}
    if kept:
        good = rows[: len(kept)]
        department.load_from(contract, department.source(contract, good, types))
        engine = department.engine()
        found = engine.run("SELECT c FROM people ORDER BY person_id", [], timeout=9, maximum_rows=9)
        engine.close()
        assert repr([value for (value,) in found]) == repr(kept)
        department.load(CONTRACT, ROWS)


def _one_column(kind: str) -> Contract:
    return shapes.contract_of([shapes.Shape("c", column("c", kind), st.none())])


def test_old_versions_go_when_a_new_one_is_loaded(department: Database) -> None:
    """The one before stays for whoever still reads it; the role sees these two and no more."""
    for _ in range(3):
        department.load(CONTRACT, ROWS)
    with psycopg.connect(department.owner) as owner:
        found = owner.execute(
            "SELECT count(*) FROM pg_tables WHERE schemaname = 'landbridge'"
        ).fetchone()
    assert found == (2,)
