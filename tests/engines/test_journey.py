"""A department whose node has another engine, in a federation of real processes."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from landbridge.federation.running import Federation
from landbridge.testing import federation
from nodes.doctor import examine
from policies import odcs
from tests.engines.places import Database
from tests.operating import town

pytestmark = pytest.mark.journey


@pytest.fixture(scope="module")
def library(database: Callable[[], Database]) -> Database:
    """The library's database."""
    return database()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, library: Database) -> Path:
    """What `landbridge init federation` writes, its library's loans in PostgreSQL."""
    folder = town.write(tmp_path_factory.mktemp("town") / "town")
    contract = odcs.read((folder / "library/contracts/loans.odcs.yaml").read_bytes(), "loans")
    file = folder / "library/data/loans.csv"
    with file.open(newline="") as lines:
        rows = [[each[c.name] or None for c in contract.columns] for each in csv.DictReader(lines)]
    source = library.source(contract, rows)
    file.unlink()
    (folder / "library/data/load.py").write_text(
        f"def load(folder):\n    return {{'loans': {source!r}}}\n"
    )
    with (folder / "federation.toml").open("a") as settings:
        settings.write(
            "\n[members.engine]\n"
            'kind = "postgresql"\n'
            f"connection = {json.dumps(library.reader)}\n"
            f"loader = {json.dumps(library.loader)}\n"
        )
    return folder


@pytest.fixture(scope="module")
def running(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Federation]:
    """It runs."""
    with federation(folder, state=tmp_path_factory.mktemp("state") / "state") as found:
        yield found


def test_questions_and_handlers_are_answered_from_postgresql(
    running: Federation, library: Database
) -> None:
    """Cells, a mean with a budget, and one reader's standing; the same answer again is free."""
    with running.client("planner") as planner:
        asked = "SELECT topic, count(*) AS loans, avg(days) AS days FROM loans GROUP BY topic"
        answer = planner.query(asked, purpose=town.PURPOSE, epsilon=3)
        assert len(answer.rows()) >= 4
        assert planner.query(asked, purpose=town.PURPOSE, epsilon=3).rows() == answer.rows()
    with running.client("desk") as desk:
        reply = desk.call("library.reader_standing", purpose="dpv:ServiceProvision", reader="R08")
        assert reply.code
    # It is that table and no copy elsewhere: without it nothing is answered.
    state = running.state / "library" / "data"
    assert not list(state.rglob("*.duckdb"))
    (table,) = library_tables(state)
    library.run(f"ALTER TABLE landbridge.{table} RENAME TO data_moved")
    try:
        with (
            running.client("planner") as planner,
            pytest.raises(Exception, match="library could not compute it"),
        ):
            planner.query(
                "SELECT month, count(*) AS n FROM loans GROUP BY month", purpose=town.PURPOSE
            )
    finally:
        library.run(f"ALTER TABLE landbridge.data_moved RENAME TO {table}")


def library_tables(state: Path) -> list[str]:
    """Those that the node's store names."""
    return [f"data_{path.stem}" for path in state.rglob("*.postgresql")]


def findings(running: Federation) -> list[tuple[str, str]]:
    """What the doctor says of the engine."""
    path = running.state / "library" / "node.toml"
    found = examine(path, {}, lambda: 0.0)
    return [(each.state, each.found) for each in found if each.check == "engine"]


def test_the_doctor_asks_the_server_and_a_node_does_not_start_with_more(
    running: Federation, library: Database
) -> None:
    """Both say the one thing that is too much, by name."""
    assert findings(running) == [
        ("ok", "postgresql answers, and shows this node its own tables only")
    ]
    library.run(
        "CREATE TABLE registry.secrets (a text)", "GRANT SELECT ON registry.secrets TO reader"
    )
    said = "sees more than its contracts' tables: registry.secrets"
    try:
        ((state, found),) = findings(running)
        assert state == "problem"
        assert said in found
        running.stop("library")
        with pytest.raises(Exception, match=said):
            running.restart("library")
    finally:
        library.run("DROP TABLE registry.secrets")
    running.restart("library")
