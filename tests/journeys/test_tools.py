"""Other people's tools against real processes: ADBC, SQLAlchemy, pandas, a client in TypeScript."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pandas as pd
import pytest
import sqlalchemy as sa
from adbc_driver_flightsql import DatabaseOptions
from adbc_driver_flightsql import dbapi as flightsql

import landbridge.testing
from landbridge.cli import init
from landbridge.evidence import verify_folder
from landbridge.evidence.entry import Entry
from landbridge.federation.running import Federation
from tests.cli.commands import run_apart

pytestmark = pytest.mark.journey
PURPOSE = "dpv:ServiceOptimisation"
ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
TYPESCRIPT = ROOT / "examples" / "clients" / "typescript"


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Federation]:
    """A gateway that also speaks Arrow Flight SQL, and one department."""
    folder = tmp_path_factory.mktemp("tools") / "town"
    assert run_apart("init", "federation", str(folder)).status == 0
    described = folder / "federation.toml"
    text = described.read_text()
    assert text.count("[gateway]\n") == 1
    described.write_text(text.replace("[gateway]\n", "[gateway]\nflight_port = 0\n"))
    with landbridge.testing.federation(folder) as running:
        yield running


@pytest.fixture(scope="module")
def expected(town: Federation) -> list[tuple[Any, ...]]:
    """What the SDK is answered; the same question again is the same answer."""
    with town.client("planner") as client:
        return client.query(init.QUESTION, purpose=PURPOSE).rows()


@pytest.fixture
def token_file(town: Federation, tmp_path: Path) -> Path:
    """A token where a tool finds it."""
    path = tmp_path / "token"
    path.write_text(town.token("planner"))
    return path


def entries(town: Federation) -> list[Entry]:
    """The gateway's log, verified."""
    found = verify_folder(town.log()).entries()
    return [Entry.from_bytes(content) for _, content in found]


def test_adbc_connects_with_a_url_and_a_token(
    town: Federation, expected: list[tuple[Any, ...]]
) -> None:
    """Over TLS, by the driver of the Arrow project, to the port that is off by default."""
    options = {
        DatabaseOptions.TLS_ROOT_CERTS.value: town.ca.read_text(),
        DatabaseOptions.AUTHORIZATION_HEADER.value: f"Bearer {town.token('planner')}",
        DatabaseOptions.RPC_CALL_HEADER_PREFIX.value + "purpose": PURPOSE,
    }
    url = f"grpc+tls://{town.flight_address}"
    with (
        flightsql.connect(url, db_kwargs=options, autocommit=True) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute(init.QUESTION)
        assert cursor.fetchall() == expected


def test_a_federation_speaks_no_flight_unless_it_is_told_to(nyc: Federation) -> None:
    """A port that nobody asked for is a port that nobody watches."""
    assert nyc.flight_address == ""


def test_sqlalchemy_and_pandas_connect_with_a_url(
    town: Federation, expected: list[tuple[Any, ...]], token_file: Path
) -> None:
    """The URL is all that a BI tool stores."""
    engine = sa.create_engine(
        f"landbridge://{town.address}/?token_file={token_file}&ca={town.ca}&purpose={PURPOSE}"
    )
    frame = pd.read_sql(sa.text(init.QUESTION), engine)
    assert [tuple(row) for row in frame.itertuples(index=False)] == expected
    found = sa.inspect(engine)
    (department,) = found.get_schema_names()
    (table,) = found.get_table_names(department)
    assert found.get_columns(table, department)
    engine.dispose()


@pytest.fixture(scope="module")
def sqlalchemy_1_4() -> Path:
    """The SQLAlchemy that Superset has, in a folder of its own; in CI its lack is a failure."""
    found = ROOT / "build" / "sqlalchemy-1.4"
    if not (found / "sqlalchemy").is_dir():
        why = (
            "It is not set up: pip install --no-deps --require-hashes "
            "--target build/sqlalchemy-1.4 -r tests/sql/sqlalchemy-1.4.txt"
        )
        if os.environ.get("CI") == "true":
            pytest.fail(why)
        pytest.skip(why)
    return found


def test_superset_finds_its_way_about(
    town: Federation, expected: list[tuple[Any, ...]], token_file: Path, sqlalchemy_1_4: Path
) -> None:
    """Superset pins SQLAlchemy below 2; it asks these questions of each database it knows."""
    url = f"landbridge://{town.address}/?token_file={token_file}&ca={town.ca}&purpose={PURPOSE}"
    script = ROOT / "tests" / "sql" / "asked_by_superset.py"
    ran = subprocess.run(
        [sys.executable, "-W", "error", str(script), url, init.QUESTION],
        env={**os.environ, "PYTHONPATH": f"{sqlalchemy_1_4}{os.pathsep}{ROOT}"},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    found = json.loads(ran.stdout)
    assert found["version"].startswith("1.4.")
    assert (found["schema"], found["table"], found["alive"]) == ("library", "loans", True)
    assert found["columns"] == {
        "reader": "VARCHAR", "topic": "VARCHAR", "month": "BIGINT", "days": "BIGINT"
    }  # fmt: skip
    assert all(found["comments"])
    assert found["comment"]
    assert (found["has_table"], found["default_schema"]) == (True, None)
    assert found["views"] == found["key"] == found["foreign_keys"] == found["indexes"] == []
    assert [tuple(row) for row in found["rows"]] == expected
    assert [len(row) for row in found["chart"]] == [2] * len(found["chart"])
    assert found["chart"] == sorted(found["chart"], key=lambda row: -row[1])


@pytest.mark.parametrize("page", ["sdk.md", "sql.md"])
def test_every_example_of_the_page_runs(
    town: Federation, tmp_path: Path, page: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """In the order of the page, in one namespace, against this gateway."""
    mpl.use("Agg")
    token = town.token("planner")
    (tmp_path / "token").write_text(token)
    names: dict[str, object] = {
        "address": town.address,
        "flight_address": town.flight_address,
        "token": token,
        "token_file": tmp_path / "token",
        "ca": town.ca,
    }
    blocks = re.findall(r"```python\n(.*?)```", (DOCS / page).read_text(), re.DOTALL)
    assert len(blocks) >= 3
    for block in blocks:
        exec(compile(block, page, "exec"), names)  # noqa: S102 - the page is ours
    assert capsys.readouterr().out


@pytest.fixture(scope="module")
def typescript() -> Path:
    """The compiled client; in CI a missing toolchain is a failure."""
    npm = shutil.which("npm")
    if npm is None or not (TYPESCRIPT / "node_modules").is_dir():
        why = f"The client is not set up: npm ci in {TYPESCRIPT.relative_to(ROOT)}"
        if os.environ.get("CI") == "true":
            pytest.fail(why)
        pytest.skip(why)
    ran = subprocess.run(
        [npm, "run", "--silent", "build"],
        cwd=TYPESCRIPT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return TYPESCRIPT / "build" / "ask.js"


def test_a_client_in_typescript_asks_one_question(
    town: Federation, expected: list[tuple[Any, ...]], token_file: Path, typescript: Path
) -> None:
    """Generated from the published protos, it gets the answer, or the reason of a refusal."""

    def ask(purpose: str, sql: str, address: str = town.address) -> tuple[int, Any]:
        ran = subprocess.run(
            ["node", typescript, address, town.ca, token_file, purpose, sql],  # noqa: S607
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        return ran.returncode, json.loads(ran.stdout)

    status, answer = ask(PURPOSE, init.QUESTION)
    assert status == 0
    assert [tuple(row) for row in answer["rows"]] == expected
    assert answer["logged"] is True
    assert answer["halfWidths"][0][-1] > 0
    status, refusal = ask(PURPOSE, "SELECT *\nFROM loans")
    assert (status, refusal["reason"]) == (3, "INVALID_QUESTION")
    assert refusal["position"].startswith("line 1, column ")
    assert ask("", init.QUESTION)[1]["reason"] == "PURPOSE_MISSING"
    status, outage = ask(PURPOSE, init.QUESTION, address="127.0.0.1:1")
    assert (status, outage["reason"]) == (4, "GATEWAY_UNREACHABLE")


def test_every_tool_stands_in_the_log_as_the_sdk_does(town: Federation) -> None:
    """Who, for which purpose, what: there is one way in."""
    asked = [each for each in entries(town) if (each.kind, each.outcome) == ("query", "answered")]
    same = [each for each in asked if each.question_hash == asked[0].question_hash]
    assert len(same) >= 3
    assert len({(e.caller, e.organisation, e.purpose, e.question) for e in same}) == 1
    assert [each.charged_micro_rho > 0 for each in same] == [True] + [False] * (len(same) - 1)
