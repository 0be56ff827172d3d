"""Apache Spark under a node: the cells of DuckDB, failures without a word, and what ends a run."""

from __future__ import annotations

import json
import os
import re
import signal
import threading
from collections.abc import Callable, Iterator
from datetime import date, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from landbridge.edge import wanted
from landbridge.errors import LandbridgeError
from landbridge.protocols.pseudonyms import blocks
from landbridge.testing import federation
from nodes.dialects.dialect import Part
from nodes.doctor import examine
from nodes.engines.engine import Engine, EngineNotStarted
from nodes.engines.found import Rule
from nodes.engines.kind import Kind
from nodes.engines.spark.engine import SparkEngine
from nodes.load_report import LoadRefused
from policies import odcs
from policies.contract import Type
from policies.question import Question
from tests.callers import Caller
from tests.engines import alike, pitfalls, shapes
from tests.engines.places import Files, Lake, parquet
from tests.operating import town
from tests.policies.documents import column
from tests.spark import Cluster

# A cluster, and its first statements, take their time where there are few cores.
pytestmark = [
    pytest.mark.timeout(600),
    # Its client says so of data frames, of which none is used.
    pytest.mark.filterwarnings("ignore:PySpark does not yet fully support pandas:FutureWarning"),
]
SECONDS = 300.0


@pytest.fixture(scope="module")
def lake(cluster: Cluster) -> Lake:
    """A department's lake, with the table of pitfalls."""
    made = Lake(cluster, "pits")
    made.load(pitfalls.CONTRACT, pitfalls.ROWS)
    return made


@pytest.fixture(scope="module")
def engine(lake: Lake) -> Iterator[SparkEngine]:
    """Over that table."""
    opened = lake.engine()
    yield opened
    opened.close()


@pytest.mark.parametrize("name", pitfalls.PITFALLS)
def test_a_pitfall_of_engines_is_what_it_means(engine: SparkEngine, name: str) -> None:
    """Cells that a person worked out."""
    pitfalls.require(engine, name)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    """DuckDB over the same table."""
    made = Files(tmp_path_factory.mktemp("files"))
    made.load(pitfalls.CONTRACT, pitfalls.ROWS)
    return made.engine()


@settings(max_examples=5, suppress_health_check=[HealthCheck.too_slow])
@given(asked=st.lists(shapes.questions(pitfalls.CONTRACT), min_size=2, max_size=2))
def test_any_question_has_the_same_cells(
    engine: SparkEngine, files: Engine, asked: list[Question]
) -> None:
    """Questions are drawn, few, because every statement takes a cluster a moment.

    Tables are drawn too in `tests.engines.at_length`, which asks of Spark what the check asks of
    DuckDB and PostgreSQL.
    """
    alike.answered_alike(pitfalls.CONTRACT, asked, files, engine, all_of=False)


def failure_of(call: Callable[[], object]) -> str:
    """The reason for which it fails, with nothing of the server's words about it."""
    with pytest.raises(LandbridgeError) as caught:
        call()
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    return str(caught.value.reason)


def test_every_failure_is_the_same_and_says_nothing(
    engine: SparkEngine, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """Spark's words quote the value, and its client would print them on the node's own output."""
    for statement in (
        "SELECT CAST(word AS BIGINT) FROM people",
        "SELECT 1 DIV (SELECT 0)",
        "SELECT raise_error('Zoltan Q')",
        "SELECT nothing FROM people",
        "this is no SQL",
        "SELECT 1; SELECT 2",
        "SELECT id FROM range(30)",  # more rows than are taken
        "SELECT ARRAY(1, 2)",
    ):
        run = partial(engine.run, statement, [], timeout=SECONDS, maximum_rows=20)
        assert failure_of(run) == "RUN_FAILED", statement
    said = capfd.readouterr()
    assert "Zoltan" not in said.out + said.err + caplog.text
    assert "CAST_INVALID" not in said.out + said.err + caplog.text
    assert engine.run("SELECT 1", [], timeout=SECONDS, maximum_rows=1) == [(1,)]


LONG = "SELECT count(*) FROM range(1000000000000) WHERE id % 7 = 3"


def test_a_run_over_its_time_is_interrupted_at_the_cluster(engine: SparkEngine) -> None:
    """DEADLINE, and its cores are free for the next one, which would else wait for hours."""
    run = partial(engine.run, LONG, [], timeout=2, maximum_rows=1)
    assert failure_of(run) == "DEADLINE"
    assert engine.run("SELECT 1", [], timeout=SECONDS, maximum_rows=1) == [(1,)]
    found = engine.run("SELECT count(*) FROM people", [], timeout=SECONDS, maximum_rows=1)
    assert found == [(len(pitfalls.ROWS),)]


def test_closing_ends_what_runs_at_the_cluster(lake: Lake, engine: SparkEngine) -> None:
    """A node that stops leaves nothing running; later runs say that it stops."""
    stopped = lake.engine()
    reasons: list[str] = []
    run = partial(stopped.run, LONG, [], timeout=SECONDS, maximum_rows=1)
    asking = threading.Thread(target=lambda: reasons.append(failure_of(run)))
    asking.start()
    asking.join(2)
    assert asking.is_alive()
    stopped.close()
    asking.join(60)
    assert reasons == ["RUN_FAILED"]
    assert failure_of(run) == "SHUTTING_DOWN"
    found = engine.run("SELECT count(*) FROM people", [], timeout=SECONDS, maximum_rows=1)
    assert found == [(len(pitfalls.ROWS),)]


def test_what_nobody_waits_for_ends_at_the_cluster(engine: SparkEngine) -> None:
    """A caller that cancels leaves its cores to the next one."""
    caller = Caller()
    reasons: list[str] = []

    def ask() -> None:
        with wanted.call(caller.context), wanted.repeatable():
            run = partial(engine.run, LONG, [], timeout=SECONDS, maximum_rows=1)
            reasons.append(failure_of(run))

    asking = threading.Thread(target=ask)
    asking.start()
    asking.join(2)
    assert asking.is_alive()
    caller.leave()
    asking.join(60)
    assert reasons == ["RUN_FAILED"]
    assert engine.run("SELECT 1", [], timeout=SECONDS, maximum_rows=1) == [(1,)]


def test_a_server_that_says_nothing_any_more_is_not_waited_for(
    engine: SparkEngine, cluster: Cluster
) -> None:
    """Its process is stopped in the middle: the deadline holds all the same."""
    os.kill(cluster.pid, signal.SIGSTOP)
    try:
        run = partial(engine.run, "SELECT 1", [], timeout=0.5, maximum_rows=1)
        assert failure_of(run) == "DEADLINE"
    finally:
        os.kill(cluster.pid, signal.SIGCONT)
    assert engine.run("SELECT 1", [], timeout=SECONDS, maximum_rows=1) == [(1,)]


def test_the_blocks_of_keys_are_everybodys(engine: SparkEngine) -> None:
    """A person is the same to a department with DuckDB and to one with Spark."""
    keys = ["", "1", "é", "x" * 15, "x" * 16, "日本語の名前です", "a" * 300]
    dialect = engine.dialect
    values = " UNION ALL ".join(
        f"SELECT {n} AS n, {dialect.place(n, key)} AS k" for n, key in enumerate(keys, start=1)
    )
    (in_part,) = dialect.part("k", Part(1, 3, 0, None), str)
    found = engine.columns(
        f"SELECT {dialect.block('k')}, CAST(5 AS BIGINT), CAST({in_part} AS BIGINT) "
        f"FROM ({values}) ORDER BY n",
        keys, timeout=SECONDS, maximum_rows=10,
    )  # fmt: skip
    assert found[0] == blocks(key.encode() for key in keys).tobytes()
    assert len(found[1]) == len(found[2]) == 8 * len(keys)
    for kind, value, spelt in (
        (Type.INTEGER, "CAST(-7 AS BIGINT)", "-7"),
        (Type.BOOLEAN, "true", "true"),
        (Type.DATE, "DATE'2013-01-31'", "2013-01-31"),
        (Type.TIMESTAMP, "TIMESTAMP_NTZ'2013-01-31 05:00:00.5'", "2013-01-31T05:00:00.500000"),
    ):
        text = f"SELECT {dialect.text(value, kind)}"
        assert engine.run(text, [], timeout=SECONDS, maximum_rows=1) == [(spelt,)]


def test_rows_that_break_the_contract_load_nothing(cluster: Cluster, tmp_path: Path) -> None:
    """Each kind of break is counted, no value is told, and no file is written."""
    lake = Lake(cluster, "broken")
    shapes_of = [
        shapes.Shape("whole", column("whole", "integer"), st.none()),
        shapes.Shape("day", column("day", "date"), st.none()),
        shapes.Shape(
            "word", column("word", "string", required=True, enum=[{"value": "a'\\"}]), st.none()
        ),
    ]
    contract = shapes.contract_of(shapes_of)
    path = tmp_path / "rows.parquet"
    _write(path, [("u1", 1.0, "2024-02-29", "a'\\"), ("u2", 1.5, "2024-02-29 01:00", "Zoltan"),
                  ("u3", float("nan"), None, None)])  # fmt: skip
    with pytest.raises(LoadRefused) as caught:
        lake.load_from(contract, path)
    found = {(each.column, each.rule, each.rows) for each in caught.value.report.violations}
    assert found == {
        ("whole", Rule.TYPE, 2),
        ("day", Rule.TYPE, 1),
        ("word", Rule.DOMAIN, 1),
        ("word", Rule.NULL, 1),
    }
    assert "Zoltan" not in str(caught.value)
    assert list(lake.written.rglob("*")) == []  # nor is what was staged left
    with pytest.raises(LoadRefused, match="cannot be read"):
        lake.load_from(contract, tmp_path / "nothing")


def _write(path: Path, rows: list[tuple[Any, ...]]) -> None:
    """A double where a whole number is wanted, a moment where a day is."""
    import duckdb

    with duckdb.connect() as connection:
        connection.execute(
            "CREATE TABLE t (person_id VARCHAR, whole DOUBLE, day TIMESTAMP, word VARCHAR)"
        )
        connection.executemany("INSERT INTO t VALUES (?, ?, ?, ?)", rows)
        connection.execute(f"COPY t TO '{path}' (FORMAT parquet)")


def test_a_table_or_a_server_that_is_not_there_stops_the_start(lake: Lake) -> None:
    """One sentence for the operator."""
    path = lake.store.tables()["people"]
    remote, token, folder = lake.cluster.remote, lake.cluster.token, str(lake.written)
    with pytest.raises(EngineNotStarted, match="cannot read the table of people; load it again"):
        SparkEngine({"people": path.with_stem("0" * 32)}, remote, token, folder)
    with pytest.raises(EngineNotStarted, match="loaded for another engine"):
        SparkEngine({"people": path.with_suffix(Kind.DUCKDB.suffix)}, remote, token, folder)
    with pytest.raises(EngineNotStarted, match="does not let this node in"):
        SparkEngine({}, remote, "another", folder)


@pytest.mark.journey
def test_a_department_with_a_lake_answers_in_a_federation(cluster: Cluster, tmp_path: Path) -> None:
    """Real processes: the node loads through the cluster, and asks it; the doctor too."""
    folder = town.write(tmp_path / "town")
    contract = odcs.read((folder / "library/contracts/loans.odcs.yaml").read_bytes(), "loans")
    rows = [(f"R{n % 9}", "travel" if n % 2 else "novels", n % 12 + 1, n % 60) for n in range(90)]
    (folder / "library/data/loans.csv").unlink()
    (folder / "library/handlers/reader_standing.sql").unlink()
    for policy in (folder / "library/access.cedar", folder / "gateway/access.cedar"):
        handlers = re.compile(r"(?s)@id\([^)]*\)\npermit \([^;]*reader_standing[^;]*;")
        policy.write_text(handlers.sub("", policy.read_text()))
    source = tmp_path / "lake"
    source.mkdir()
    parquet(contract, rows, source / "part.parquet")
    (folder / "library/data/load.py").write_text(
        f"def load(folder):\n    return {{'loans': {str(source)!r}}}\n"
    )
    token = tmp_path / "token"
    token.write_text(cluster.token)
    token.chmod(0o600)
    with (folder / "federation.toml").open("a") as settings:
        settings.write(
            "\n[members.engine]\n"
            'kind = "spark"\n'
            f"connection = {json.dumps(cluster.remote)}\n"
            f"folder = {json.dumps(str(tmp_path / 'written'))}\n"
            f"token = {json.dumps(str(token))}\n"
        )
    with (
        federation(folder, state=tmp_path / "state") as running,
        running.client("planner") as planner,
    ):
        answer = planner.query(
            "SELECT topic, count(*) AS loans FROM loans GROUP BY topic",
            purpose=town.PURPOSE,
            timeout=55,
        )
        assert {row[0] for row in answer.rows()} >= {"travel", "novels"}
        found = examine(running.state / "library" / "node.toml", {}, lambda: 0.0)
        said = [(each.state, each.found) for each in found if each.check == "engine"]
    assert said == [("ok", "spark answers, and reads this node's tables")]


def test_days_and_moments_cross_as_iso_8601(engine: SparkEngine) -> None:
    """As from every engine, in no time zone."""
    day, moment = date(2024, 2, 29), datetime.fromisoformat("2024-02-29T05:00:00.5")
    found = engine.run(
        "SELECT CAST(:p1 AS DATE), CAST(:p2 AS TIMESTAMP_NTZ), CAST(:p3 AS DECIMAL(38, 0)), :p4",
        [day.isoformat(), moment.isoformat(sep=" "), 2**62, True],
        timeout=SECONDS,
        maximum_rows=1,
    )
    assert found == [(day.isoformat(), moment.isoformat(), 2**62, True)]
