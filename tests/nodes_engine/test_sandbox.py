"""What SQL can reach: the engine's settings and the worker's rule of one SELECT, each by itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from landbridge.errors import Fault
from nodes.engines import database
from nodes.engines.duckdb import DuckDBEngine
from tests.nodes_engine.conftest import answers

FILES = [
    "SELECT * FROM read_csv('{text}', header = false)",
    "SELECT content FROM read_text('{text}')",
    "SELECT * FROM read_json_auto('{json}')",
    "SELECT * FROM glob('{folder}/*')",
    "SELECT * FROM sniff_csv('{text}')",
    "SELECT * FROM '{text}'",
    "SELECT octet_length(content) FROM read_blob('{file}')",
    "SELECT octet_length(content) FROM read_blob('{other}')",
    "SELECT content FROM read_text('/proc/self/environ')",
    "ATTACH '{other}' AS z (READ_ONLY)",
    "ATTACH '{folder}/new.duckdb' AS z",
    "COPY people TO '{folder}/x.csv'",
    "COPY (SELECT 1) TO '/dev/stdout'",
    "EXPORT DATABASE '{folder}/x'",
]
SETTINGS = [
    "SET threads = 64",
    "SET memory_limit = '10GB'",
    "PRAGMA memory_limit='10GB'",
    "RESET memory_limit",
    "SET disabled_filesystems = ''",
    "SET lock_configuration = false",
    "SET temp_directory = '{folder}'",
    "SET python_enable_replacements = true",
    "CALL enable_logging()",
]
ONE_WAY = ["SET enable_external_access = true", "SET profiling_output = '{folder}/p'"]
EXTENSIONS = ["INSTALL httpfs", "LOAD httpfs", "LOAD '{folder}/x.duckdb_extension'"]
STATE = [
    "SET VARIABLE x = (SELECT max(name) FROM people)",
    "CREATE TEMP TABLE z AS FROM people",
    "CREATE TABLE z AS FROM people",
    "CREATE OR REPLACE VIEW people AS SELECT 1",
    "CREATE MACRO count(a) AS 7",
    "PREPARE q AS SELECT name FROM people",
    "ATTACH ':memory:' AS m",
    "DETACH file_0",
    "DROP VIEW people",
    "INSERT INTO file_0.main.data VALUES (1, 'x', 1)",
    "DELETE FROM file_0.main.data",
    "CREATE SECRET s (TYPE http)",
    "CHECKPOINT",
    "CALL pragma_version()",
    "PRAGMA storage_info('people')",
    "BEGIN",
    "USE file_0",
    "SELECT 1; SELECT name FROM people LIMIT 1",
    "",
    ";",
    "EXPLAIN ANALYZE SELECT name FROM people",
]


@pytest.fixture
def places(people: Path, tmp_path: Path) -> dict[str, str]:
    """Files that plain DuckDB reads; the names are those of the statements above."""
    (tmp_path / "t.csv").write_text("secret\n")
    (tmp_path / "t.json").write_text('{"a": 1}\n')
    other = tmp_path / "other.duckdb"
    other.write_bytes(people.read_bytes())
    return {
        "text": str(tmp_path / "t.csv"),
        "json": str(tmp_path / "t.json"),
        "folder": str(tmp_path),
        "file": str(people),
        "other": str(other),
    }


@pytest.fixture
def sealed(people: Path) -> Iterator[database.Connection]:
    """The database as a worker opens it, without the worker's other limits."""
    connection = database.open_sealed({"people": str(people)}, memory_bytes=256 << 20, threads=1)
    yield connection
    connection.close()


@pytest.fixture
def plain(people: Path) -> Iterator[database.Connection]:
    """DuckDB as it comes, over the same table."""
    connection: database.Connection = duckdb.connect(":memory:")
    connection.execute(f"ATTACH '{people}' AS file_0 (READ_ONLY)")
    connection.execute("CREATE VIEW people AS SELECT * FROM file_0.main.data")
    yield connection
    connection.close()


@pytest.mark.parametrize("statement", [*FILES, *SETTINGS, *ONE_WAY, *EXTENSIONS])
def test_the_settings_alone_block(
    sealed: database.Connection, places: dict[str, str], statement: str
) -> None:
    """The rule of one SELECT may have a hole: the database itself must reach nothing either."""
    with pytest.raises(database.Error):
        sealed.execute(statement.format(**places)).fetchall()
    assert sealed.execute("SELECT count(*) FROM people").fetchall() == [(20000,)]


@pytest.mark.parametrize("statement", [*FILES, *SETTINGS])
def test_plain_duckdb_does_not_block(
    plain: database.Connection, places: dict[str, str], statement: str
) -> None:
    """Positive control: these statements work where nothing is sealed, so that blocking is ours."""
    plain.execute(statement.format(**places)).fetchall()


@pytest.mark.parametrize("statement", [*FILES, *SETTINGS, *ONE_WAY, *EXTENSIONS, *STATE])
def test_the_engine_refuses(engine: DuckDBEngine, places: dict[str, str], statement: str) -> None:
    """Through the engine nothing but one SELECT over the tables runs, whatever the settings do."""
    with pytest.raises(Fault) as refused:
        engine.run(statement.format(**places), [], timeout=20, maximum_rows=10)
    assert refused.value.reason == "RUN_FAILED"
    answers(engine)


def test_a_python_variable_is_no_table(sealed: database.Connection) -> None:
    """A table in the worker's memory must not be readable by its name."""
    ledger = pa.table({"a": [1]})
    plain = duckdb.connect(":memory:")
    assert plain.execute("SELECT * FROM ledger").fetchall() == [(1,)]
    plain.close()
    with pytest.raises(database.Error):
        sealed.execute("SELECT * FROM ledger")
    assert ledger.num_rows == 1


def test_a_run_sees_no_state_of_the_connection(sealed: database.Connection) -> None:
    """What one run could set, the next must not see: temporary tables, variables, preparations."""
    sealed.execute("SET VARIABLE x = 5")
    sealed.execute("CREATE TEMP TABLE z AS SELECT 1")
    rows = database.select(sealed, "SELECT getvariable('x')", [], maximum_rows=1)
    assert rows == [(None,)]
    with pytest.raises(database.Error, match="Table with name z does not exist"):
        database.select(sealed, "SELECT * FROM z", [], maximum_rows=1)


def test_every_setting_stands_as_meant(sealed: database.Connection) -> None:
    """Some of them overlap today; a new version of the engine may part them."""
    meant = {
        "allow_community_extensions": False,
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        # disabled_filesystems reads as empty even where it is set; the statements above prove it.
        "enable_external_access": False,
        "lock_configuration": True,
        "python_enable_replacements": False,
        "temp_directory": "",
        "threads": 1,
    }
    listed = ", ".join(f"current_setting('{name}')" for name in meant)
    (row,) = sealed.execute(f"SELECT {listed}").fetchall()
    assert dict(zip(meant, row, strict=True)) == meant


def test_a_table_name_is_quoted_whatever_it_holds(people: Path) -> None:
    """Names come from contracts, but nothing should hang on that."""
    name = 'a"; DROP VIEW x; --'
    connection = database.open_sealed({name: str(people)}, memory_bytes=64 << 20, threads=1)
    counted = connection.execute(f"FROM {database.quoted(name)} SELECT count(*)").fetchall()
    assert counted == [(20000,)]
    connection.close()
