"""Departments of different engines, in a federation of real processes.

The library's loans and earners are in PostgreSQL, the school's pupils in files that are encrypted.
"""

from __future__ import annotations

import csv
import json
import secrets
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg
import pytest

from landbridge.evidence.keyfile import write_key
from landbridge.federation.running import Federation
from landbridge.testing import federation
from landbridge.transport import Endpoint, bearer
from landbridge.v1 import gateway_pb2, gateway_pb2_grpc
from nodes.doctor import examine
from nodes.engines.file_key import FileKey
from policies import odcs
from tests.engines.linking import SEED
from tests.engines.places import Database
from tests.engines.test_postgresql import running as statements
from tests.engines.test_postgresql import until
from tests.linked.world import Truth, document, rows_of, write
from tests.operating import town

pytestmark = pytest.mark.journey


@pytest.fixture(scope="module")
def library(database: Callable[[], Database]) -> Database:
    """The library's database."""
    return database()


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """That of the school's files."""
    path = tmp_path_factory.mktemp("keys") / "files.key"
    write_key(path, secrets.token_bytes(32))
    return path


PEOPLE = {"library": "earners", "school": "pupils"}
PERMIT = """
@id("{0}.planning.{1}")
permit (
  principal in Organisation::"city-planning", action == Action::"query",
  resource == Contract::"{1}"
)
when {{ context.purpose == "{2}" }};
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, library: Database, key: Path) -> Path:
    """What `landbridge init federation` writes, with a school, and the library's in PostgreSQL."""
    folder = town.write(tmp_path_factory.mktemp("town") / "town")
    contract = odcs.read((folder / "library/contracts/loans.odcs.yaml").read_bytes(), "loans")
    file = folder / "library/data/loans.csv"
    with file.open(newline="") as lines:
        rows = [[each[c.name] or None for c in contract.columns] for each in csv.DictReader(lines)]
    file.unlink()
    sources = {"loans": library.source(contract, rows)}
    for name, table in PEOPLE.items():
        (other,) = PEOPLE.keys() - {name}
        text = document(table, link={"with": [other]}, landbridgePurposes=[town.PURPOSE])
        for part in ("contracts", "data"):
            (folder / name / part).mkdir(parents=True, exist_ok=True)
        (folder / name / "contracts" / f"{table}.odcs.yaml").write_bytes(text)
        with (folder / name / "access.cedar").open("a") as policy:
            policy.write(PERMIT.format(name, table, town.PURPOSE))
        if name == "library":
            sources[table] = library.source(odcs.read(text, table), rows_of("tax", SEED))
        else:
            write(table, rows_of(name, SEED), folder / name / "data" / f"{table}.csv")
    (folder / "library/data/load.py").write_text(f"def load(folder):\n    return {sources!r}\n")
    with (folder / "federation.toml").open("a") as settings:
        settings.write(
            "\n[members.engine]\n"
            'kind = "postgresql"\n'
            f"connection = {json.dumps(library.reader)}\n"
            f"loader = {json.dumps(library.loader)}\n"
            '\n[[members]]\ndepartment = "school"\nport = 0\n'
            f"\n[members.engine]\nkey = {json.dumps(str(key))}\n"
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
    table = library_table(state, "loans")
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


def library_table(state: Path, contract: str) -> str:
    """The one that the node's store names."""
    (found,) = (state / contract).glob("*.postgresql")
    return f"data_{found.stem}"


LINKED = (
    "SELECT band, count(*) AS n, sum(marks) AS marks FROM library.earners "
    "JOIN school.pupils USING (person) GROUP BY band"
)


def test_departments_of_two_engines_are_linked(running: Federation) -> None:
    """The truth in the clear, give or take four half-widths (one run in 10^8 misses)."""
    truth = Truth({"earners": rows_of("tax", SEED), "pupils": rows_of("school", SEED)})
    text = LINKED.replace("library.", "tax.")
    expected = {row[0]: row[1:] for row in truth.ask(text)}
    with running.client("planner") as planner:
        answer = planner.query(LINKED, purpose=town.PURPOSE, epsilon=900, timeout=50)
    assert len(answer.rows()) == len(expected) == 4
    for row, widths in zip(answer.rows(), answer.half_widths(), strict=True):
        for ours, width, theirs in zip(row[1:], widths[1:], expected[row[0]], strict=True):
            assert width is not None
            assert abs(ours - theirs) <= 4 * width


def test_the_schools_files_show_nothing_and_nobody_sees_their_key(
    running: Federation, key: Path
) -> None:
    """Not in the state folder's bytes, the node's log and words, or what processes are called."""
    state = running.state / "school"
    (table,) = (state / "data").rglob("*.duckdb")
    for name in (b"grade", b"marks"):  # of columns; in a plain file they stand as they are
        assert name not in table.read_bytes()
    secret = key.read_bytes()
    shown = [secret, secret.hex().encode(), b64encode(secret), FileKey(secret).of(table).encode()]
    for path in running.state.rglob("*"):
        if path.is_file() and not path.is_symlink():
            content = path.read_bytes()
            assert not [each for each in shown if each in content], path
    for process in Path("/proc").glob("[0-9]*"):
        for words in ("cmdline", "environ"):
            with suppress(OSError):  # it has ended
                content = (process / words).read_bytes()
                assert not [each for each in shown if each in content], process
    said = [
        each for each in examine(state / "node.toml", {}, lambda: 0.0) if each.check == "engine"
    ]
    assert [each.state for each in said] == ["ok"]
    assert "opens this node's files with engine.key" in said[0].found


@contextmanager
def held(library: Database, running: Federation, contract: str) -> Iterator[None]:
    """Whoever reads the library's table waits."""
    table = library_table(running.state / "library" / "data", contract)
    with psycopg.connect(library.owner) as owner:
        owner.execute(f"LOCK TABLE landbridge.{table} IN ACCESS EXCLUSIVE MODE".encode())
        yield


@pytest.mark.parametrize(
    ("contract", "text", "cancelled"),
    [
        ("loans", "SELECT month, count(*) AS n, sum(days) AS d FROM loans GROUP BY month", True),
        ("earners", LINKED.replace("sum(marks)", "count(marks)"), False),
    ],
    ids=["cancelled", "linked, out of time"],
)
def test_what_nobody_waits_for_ends_at_the_server(
    running: Federation, library: Database, contract: str, text: str, cancelled: bool
) -> None:
    """From the caller through gateway and node: a linked round at its deadline, others at once."""
    identity = bearer(running.token("planner"))
    request = gateway_pb2.QueryRequest(
        sql=text, purpose=town.PURPOSE, question_id=secrets.token_hex(16)
    )
    with (
        held(library, running, contract),
        Endpoint.at(running.address, ca=running.ca).channel() as channel,
    ):
        call = gateway_pb2_grpc.GatewayStub(channel).Query.future(
            request, timeout=50 if cancelled else 4, metadata=identity
        )
        until(lambda: statements(library) == 1)
        if cancelled:
            call.cancel()
        until(lambda: statements(library) == 0)
        assert call.done() or not cancelled


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
