"""Arrow Flight SQL by the real ADBC driver over TLS: the same answers, refusals and entries."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import date
from typing import Any

import adbc_driver_manager.dbapi as adbc
import grpc
import polars as pl
import pyarrow as pa
import pytest

import gateway.flight.servicer
from gateway.flight.commands import PACKAGE, packed
from landbridge.errors import Refused
from landbridge.status import from_rpc_error
from landbridge.transport import Endpoint
from landbridge.v1 import flight_pb2, gateway_pb2
from tests.dates.dated import FIRST, SECOND, dated
from tests.people import PURPOSE, crowd, document, write
from tests.sdk.loopback import Authority
from tests.simulator import FederationSimulator
from tests.sql.flight import Served, served

Simulate = Callable[..., FederationSimulator]
GROUPED = "SELECT district, count(*) AS n FROM people GROUP BY district ORDER BY district"
COUNT = "SELECT count(*) AS n FROM people"


@pytest.fixture
def flight(simulate: Simulate) -> Iterator[Served]:
    """Two departments serve people; no noise."""
    with served(Authority(), simulate({"north": crowd(60), "south": crowd(40)})) as made:
        yield made
        assert made.reported == []


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One for all tests that are refused before anything happens; it takes a second to make."""
    place = tmp_path_factory.mktemp("shared")
    files = {name: write(crowd(9), place / f"{name}.csv") for name in ("north", "south")}
    federation = FederationSimulator(place, files, document())
    with served(Authority(), federation) as made:
        yield made
        assert made.reported == []
    # Nothing ever ran, whatever was asked and refused.
    assert all(node.runs == 0 for node in federation.nodes.values())
    federation.close()


def fetched(flight: Served, sql: str, parameters: Any = None, **stated: str) -> Any:
    """The answer as a table, by the real driver."""
    with flight.connect(**stated) as connection, connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return cursor.fetch_arrow_table()


class Raw:
    """The protocol without a driver, for what no driver would send."""

    def __init__(self, flight: Served, *metadata: tuple[str, str]) -> None:
        self._channel = Endpoint.at(flight.address, ca=flight.ca).channel()
        self._metadata = metadata or (
            ("authorization", f"Bearer {flight.federation.token()}"),
            ("purpose", PURPOSE),
        )

    def info(self, command: bytes) -> flight_pb2.FlightInfo:
        """GetFlightInfo."""
        descriptor = flight_pb2.FlightDescriptor(type=2, cmd=command)  # type: ignore[arg-type]
        found = self._one("GetFlightInfo", descriptor, flight_pb2.FlightInfo)
        assert isinstance(found, flight_pb2.FlightInfo)
        return found

    def ticket(self, sql: str) -> bytes:
        """The ticket of a statement."""
        text = flight_pb2.FlightSqlText(query=sql)
        return self.info(packed("CommandStatementQuery", text)).endpoint[0].ticket.ticket

    def get(self, ticket: bytes) -> list[flight_pb2.FlightData]:
        """DoGet."""
        call: Any = self._channel.unary_stream(
            "/arrow.flight.protocol.FlightService/DoGet",
            lambda message: message.SerializeToString(),
            flight_pb2.FlightData.FromString,
        )
        return list(
            call(flight_pb2.FlightTicket(ticket=ticket), timeout=20, metadata=self._metadata)
        )

    def put(self, sent: Iterator[flight_pb2.FlightData]) -> list[flight_pb2.FlightPutResult]:
        """DoPut."""
        call: Any = self._channel.stream_stream(
            "/arrow.flight.protocol.FlightService/DoPut",
            lambda message: message.SerializeToString(),
            flight_pb2.FlightPutResult.FromString,
        )
        return list(call(sent, timeout=20, metadata=self._metadata))

    def _one(self, method: str, request: Any, reply: Any) -> Any:
        call: Any = self._channel.unary_unary(
            f"/arrow.flight.protocol.FlightService/{method}",
            lambda message: message.SerializeToString(),
            reply.FromString,
        )
        return call(request, timeout=20, metadata=self._metadata)


def refusal(call: Callable[[], object]) -> tuple[str, str]:
    """Reason and status of a call that fails, as our own client reads it."""
    with pytest.raises(grpc.RpcError) as caught:
        call()
    read = from_rpc_error(caught.value)
    return read.reason, read.status


def test_an_answer_is_that_of_the_sdk_and_asked_again_it_is_free(flight: Served) -> None:
    """One way in: the second door opens on the same room, and on the same memory."""
    by_sdk = flight.federation.query(GROUPED)
    by_flight = fetched(flight, GROUPED)
    assert [tuple(row.values()) for row in by_flight.to_pylist()] == by_sdk.rows()
    assert by_flight.schema == by_sdk.to_arrow().schema
    first, again = (e for e in flight.federation.entries() if e.kind == "query")
    assert (first.question, first.question_hash) == (again.question, again.question_hash)
    assert (first.charged_micro_rho > 0, again.charged_micro_rho, again.remembered) == (
        True,
        0,
        True,
    )
    assert (first.purpose, first.caller, first.policies) == (
        again.purpose,
        again.caller,
        again.policies,
    )


def test_parameters_of_a_prepared_statement_are_values(flight: Served) -> None:
    """Bound by the driver, carried as Arrow, and literals of the typed question."""
    sql = f"{COUNT} WHERE age > ? AND district = ? AND moved < ? AND member = ? AND height < ?"
    values = (30, "D1", date(2026, 1, 1), True, 1.9)
    found = fetched(flight, sql, values).to_pylist()
    plain = (
        f"{COUNT} WHERE age > 30 AND district = 'D1' AND moved < DATE '2026-01-01' "
        "AND member = TRUE AND height < 1.9"
    )
    assert [tuple(row.values()) for row in found] == flight.federation.query(plain).rows()
    evil = fetched(flight, f"{COUNT} WHERE district = ?", ("' OR 1=1 --",)).to_pylist()
    assert evil == [{"n": 0}]


def test_one_prepared_statement_is_asked_with_several_values(flight: Served) -> None:
    """As a dashboard does with a filter."""
    with flight.connect() as connection, connection.cursor() as cursor:
        counts = []
        for district in ("D1", "D2"):
            cursor.execute(f"{COUNT} WHERE district = ?", (district,))
            counts.append(cursor.fetchone()[0])
    expected = [
        flight.federation.query(f"{COUNT} WHERE district = '{name}'").rows()[0][0]
        for name in ("D1", "D2")
    ]
    assert counts == expected


def test_the_directory_is_shown_as_schemas_and_tables(shared: Served) -> None:
    """What DBeaver, Superset and others ask first."""
    with shared.connect() as connection:
        objects = connection.adbc_get_objects(depth="all").read_all().to_pylist()
        (catalog,) = objects
        schemas = {each["db_schema_name"]: each for each in catalog["catalog_db_schemas"]}
        assert schemas.keys() == {"", "north", "south"}
        (table,) = schemas["north"]["db_schema_tables"]
        assert (table["table_name"], table["table_type"]) == ("people", "TABLE")
        columns = [column["column_name"] for column in table["table_columns"]]
        assert "age" in columns
        assert "name" not in columns  # restricted, and this caller is cleared for internal
        assert [t["table_name"] for t in schemas[""]["db_schema_tables"]] == ["people"]
        shape = connection.adbc_get_table_schema("people", db_schema_filter="south")
        assert shape.field("age").type == pa.int64()
        assert shape.field("moved").type == pa.date32()
        assert connection.adbc_get_table_types() == ["TABLE"]
        assert connection.adbc_get_info()["vendor_name"] == "Landbridge"
        only = connection.adbc_get_objects(db_schema_filter="no%", table_name_filter="peo_le")
        (catalog,) = only.read_all().to_pylist()
        assert [each["db_schema_name"] for each in catalog["catalog_db_schemas"]] == ["north"]


def test_purpose_and_epsilon_are_properties_or_a_comment(flight: Served) -> None:
    """And what contradicts, or is missing, is refused as everywhere."""
    fetched(flight, COUNT, epsilon="0.25")
    fetched(flight, f"/* purpose={PURPOSE}, epsilon=0.5 */ SELECT sum(age) FROM people", purpose="")
    with pytest.raises(adbc.Error, match="PURPOSE_MISSING"):
        fetched(flight, COUNT, purpose="")
    with pytest.raises(adbc.Error, match="two different epsilons"):
        fetched(flight, f"/* epsilon=0.5 */ {COUNT}", epsilon="0.25")
    with pytest.raises(adbc.Error, match="stated epsilon cannot be read"):
        fetched(flight, COUNT, epsilon="much")
    with pytest.raises(adbc.Error, match="true or false"):
        fetched(flight, COUNT, half_widths="maybe")


def test_half_widths_come_as_columns_where_the_connection_wants_them(flight: Served) -> None:
    """A chart tool has no other place for an error bar."""
    table = fetched(flight, GROUPED, half_widths="true")
    assert table.column_names == ["district", "n", "n_half_width"]
    answer = flight.federation.query(GROUPED)
    assert table["n_half_width"].to_pylist() == answer.accuracy["n"]


def test_a_department_that_is_missing_is_missing_here_too(flight: Served) -> None:
    """Refused, or named where the caller takes a partial answer."""
    flight.federation.nodes["south"].down = True
    with pytest.raises(adbc.Error, match=r"DEPARTMENT_MISSING.*south"):
        fetched(flight, COUNT)
    raw = Raw(
        flight,
        ("authorization", f"Bearer {flight.federation.token()}"),
        ("purpose", PURPOSE),
        ("partial", "true"),
    )
    table = tabled(raw.get(raw.ticket(COUNT)))
    assert '"missing": ["south"]' in table.schema.metadata[b"landbridge.answer"].decode()


def test_data_of_several_days_are_taken_by_a_connection_that_says_so(flight: Served) -> None:
    """Refused otherwise; the days are beside the answer."""
    dated(flight.federation, "people", {"north": FIRST, "south": SECOND})
    try:
        with pytest.raises(adbc.Error, match=r"DATES_DIFFER.*south\.people"):
            fetched(flight, COUNT)
        raw = Raw(
            flight,
            ("authorization", f"Bearer {flight.federation.token()}"),
            ("purpose", PURPOSE),
            ("mixed_dates", "true"),
        )
        table = tabled(raw.get(raw.ticket(COUNT)))
        told = table.schema.metadata[b"landbridge.answer"].decode()
        assert f'"south.people": "{SECOND}"' in told
    finally:
        dated(flight.federation, "people", {"north": "", "south": ""})


def tabled(messages: list[flight_pb2.FlightData]) -> Any:
    """What was fetched, put together again by Arrow's own reader."""
    stream = b""
    for each in messages:
        header = each.data_header + b"\0" * (-len(each.data_header) % 8)
        stream += b"\xff\xff\xff\xff" + len(header).to_bytes(4, "little") + header + each.data_body
    return pa.ipc.open_stream(stream + b"\xff\xff\xff\xff\0\0\0\0").read_all()


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("SELECT name FROM people", "NOT_AVAILABLE"),
        ("SELECT age FROM people", "INVALID_QUESTION"),
        ("SELECT count(*) FROM salaries", "NOT_AVAILABLE"),
        (f"{COUNT}; {COUNT}", "INVALID_QUESTION"),
        ("DROP TABLE people", "INVALID_QUESTION"),
        ("SELECT * FROM read_csv('/etc/passwd')", "INVALID_QUESTION"),
    ],
)
def test_what_the_sdk_is_refused_is_refused_here_in_the_same_words(
    shared: Served, sql: str, reason: str
) -> None:
    """By the same reader, in the same log, before any department is asked."""
    with pytest.raises(adbc.Error, match=reason) as caught:
        fetched(shared, sql)
    with pytest.raises((Refused, Exception)) as by_sdk:
        shared.federation.query(sql)
    assert by_sdk.value.message in str(caught.value)  # type: ignore[attr-defined]
    here, there = [e for e in shared.federation.entries() if e.outcome == "refused"][-2:]
    assert (here.reason, here.rule, here.caller) == (there.reason, there.rule, there.caller)


def test_an_exhausted_budget_is_exhausted_through_both_doors(flight: Served) -> None:
    """A second door must not be a second purse."""
    for age in range(10, 90):
        try:
            fetched(flight, f"SELECT count(*) FROM people WHERE age > {age}", epsilon="4")
        except adbc.Error as refused:
            assert "BUDGET_EXHAUSTED" in str(refused)  # noqa: PT017 - the loop ends here
            break
    else:
        pytest.fail("the budget never ended")
    with pytest.raises(Refused, match="BUDGET_EXHAUSTED"):
        flight.federation.query("SELECT count(*) FROM people WHERE sex = 'F'", epsilon=4)


@pytest.mark.parametrize(
    "entries",
    [
        (),
        (("authorization", "Bearer not.a.token"),),
        (("authorization", "Basic YWxpY2U6cGFzc3dvcmQ="),),
        ("twice",),
        ("expired",),
    ],
)
@pytest.mark.parametrize("method", ["info", "get", "metadata", "put"])
def test_nobody_unknown_gets_anything(shared: Served, entries: Any, method: str) -> None:
    """No method of this face is open: neither answers, nor names of tables, nor tickets."""
    token = f"Bearer {shared.federation.token()}"
    if entries == ("twice",):
        entries = (("authorization", token), ("authorization", token))
    elif entries == ("expired",):
        old = shared.federation.token(now=shared.federation.now - 86_400)
        entries = (("authorization", f"Bearer {old}"),)
    good = Raw(shared)
    ticket = good.ticket(COUNT)
    raw = Raw(shared, *entries, ("purpose", PURPOSE))
    calls: dict[str, Callable[[], object]] = {
        "info": lambda: raw.ticket(COUNT),
        "get": lambda: raw.get(ticket),
        "metadata": lambda: raw.info(packed("CommandGetCatalogs", flight_pb2.FlightNothing())),
        "put": lambda: raw.put(iter([flight_pb2.FlightData()])),
    }
    assert refusal(calls[method])[1] == "UNAUTHENTICATED"


def test_a_ticket_is_one_question_however_often_it_is_redeemed(flight: Served) -> None:
    """One id, one draw, one charge, one answer (I5); nothing ran before it was redeemed."""
    raw = Raw(flight)
    ticket = raw.ticket(COUNT)
    assert all(node.runs == 0 for node in flight.federation.nodes.values())
    first, second = (tabled(raw.get(ticket)) for _ in range(2))
    assert first.to_pylist() == second.to_pylist()
    queries = [e for e in flight.federation.entries() if e.kind == "query"]
    assert len({entry.question_id for entry in queries}) == 1
    assert [entry.charged_micro_rho > 0 for entry in queries] == [True, False]
    assert raw.ticket(COUNT) != ticket


def test_a_ticket_gives_nobody_more_than_asking_would(shared: Served) -> None:
    """It holds what was asked, no permission: whoever redeems it is asked who they are."""
    ticket = Raw(shared).ticket("SELECT sum(income) FROM people")
    stranger = shared.federation.token("mallory", organisation="elsewhere")
    cleared = shared.federation.token("carol", clearance="open")
    for token in (stranger, cleared):
        raw = Raw(shared, ("authorization", f"Bearer {token}"), ("purpose", PURPOSE))
        assert refusal(lambda raw=raw: raw.get(ticket))[1] == "PERMISSION_DENIED"  # type: ignore[misc]


@pytest.mark.parametrize("question_id", ["", "0" * 31, "G" * 32, "0" * 33])
def test_a_ticket_without_a_question_id_is_none(shared: Served, question_id: str) -> None:
    """A prepared statement's handle cannot be redeemed, nor a ticket of one's own making."""
    content = flight_pb2.FlightStatement(
        request=gateway_pb2.QueryRequest(sql=COUNT, purpose=PURPOSE, question_id=question_id)
    )
    handle = flight_pb2.FlightSqlHandle(handle=content.SerializeToString())
    for name in ("TicketStatementQuery", "CommandPreparedStatementQuery"):
        ticket = packed(name, handle)
        assert refusal(lambda ticket=ticket: Raw(shared).get(ticket))[0] == "INVALID_ARGUMENT"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "INVALID_ARGUMENT"),
        (b"\xff\xff\xff", "INVALID_ARGUMENT"),
        (b"SELECT 1", "INVALID_ARGUMENT"),
        (packed("CommandStatementUpdate", flight_pb2.FlightSqlText(query="x")), "NOT_SUPPORTED"),
        (packed("CommandStatementIngest", flight_pb2.FlightNothing()), "NOT_SUPPORTED"),
        (packed("CommandStatementSubstraitPlan", flight_pb2.FlightNothing()), "NOT_SUPPORTED"),
        (packed("Unheard", flight_pb2.FlightNothing()), "NOT_SUPPORTED"),
        (
            packed(
                "CommandStatementQuery", flight_pb2.FlightSqlText(query=COUNT, transaction_id=b"1")
            ),
            "NOT_SUPPORTED",
        ),
        (
            packed("TicketStatementQuery", flight_pb2.FlightSqlHandle(handle=b"\xff\xff")),
            "INVALID_ARGUMENT",
        ),
    ],
)
def test_what_is_no_command_of_ours_is_refused(shared: Served, content: bytes, reason: str) -> None:
    """With a reason of the catalogue, and not as a defect."""
    assert refusal(lambda: Raw(shared).info(content))[0] == reason
    entry = shared.federation.entries()[-1]
    assert (entry.outcome, entry.reason) == ("refused", reason)
    assert refusal(lambda: Raw(shared).get(content))[0] in (reason, "INVALID_ARGUMENT")


def test_the_driver_cannot_write(shared: Served) -> None:
    """Updates, bulk ingestion and transactions are the protocol's, not this gateway's."""
    with shared.connect() as connection, connection.cursor() as cursor:
        with pytest.raises(adbc.NotSupportedError):
            cursor.executescript("DELETE FROM people")
        with pytest.raises(adbc.NotSupportedError):
            cursor.adbc_ingest("people", pa.table({"a": [1]}), mode="append")
        with pytest.raises(adbc.NotSupportedError):
            connection.adbc_connection.set_autocommit(enabled=False)


def test_errors_carry_googles_details_and_nothing_of_the_machine(shared: Served) -> None:
    """The driver hands the details on; no traceback, path or class is in them."""
    with pytest.raises(adbc.Error) as caught:
        fetched(shared, "SELECT age\nFROM people")
    whole = b"".join(value for _, value in caught.value.details)
    assert b"INVALID_QUESTION" in whole
    assert b"line 1, column" in whole
    for leak in (b"Traceback", b".py", b"gateway/", b"pyarrow"):
        assert leak not in whole + str(caught.value).encode()


def test_a_defect_is_the_constant_sentence(
    simulate: Simulate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server that pyarrow ships would have sent the exception's text and the file's path."""

    def broken(*_: object) -> None:
        raise ValueError("Zoltan Q 812345")

    monkeypatch.setattr(gateway.flight.servicer, "listing", broken)
    with served(Authority(), simulate({"north": crowd(5)})) as flight:
        raw = Raw(flight)
        with pytest.raises(grpc.RpcError) as caught:
            raw.get(packed("CommandGetCatalogs", flight_pb2.FlightNothing()))
        assert from_rpc_error(caught.value).reason == "FAULT"
        assert "Zoltan" not in repr(caught.value)
        assert len(flight.reported) == 1


def test_nothing_leaves_when_the_log_cannot_be_written(flight: Served) -> None:
    """The same rule for every door."""
    raw = Raw(flight)
    ticket = raw.ticket(COUNT)
    flight.federation.log.broken = True
    assert refusal(lambda: raw.get(ticket))[0] == "LOG_UNAVAILABLE"
    assert refusal(lambda: raw.ticket(COUNT))[0] == "LOG_UNAVAILABLE"


def test_parameters_are_bounded_in_size_and_time(
    flight: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stream of requests is the one thing that gRPC does not bound for us."""
    statement = flight_pb2.FlightStatement(request=gateway_pb2.QueryRequest(sql=COUNT))
    handle = flight_pb2.FlightSqlHandle(handle=statement.SerializeToString())
    first = flight_pb2.FlightData(
        flight_descriptor=flight_pb2.FlightDescriptor(
            type=2,  # type: ignore[arg-type]
            cmd=packed("CommandPreparedStatementQuery", handle),
        )
    )
    raw = Raw(flight)
    large = flight_pb2.FlightData(data_header=b"x", data_body=b"x" * 300_000)
    assert refusal(lambda: raw.put(iter([first, *[large] * 9])))[0] == "INVALID_ARGUMENT"
    assert refusal(lambda: raw.put(iter([first])))[0] == "INVALID_ARGUMENT"
    monkeypatch.setattr(gateway.flight.servicer, "PUT_SECONDS", 0.2)
    leave = threading.Event()

    def slow() -> Iterator[flight_pb2.FlightData]:
        yield first
        leave.wait(30)

    with pytest.raises(grpc.RpcError):
        raw.put(slow())
    leave.set()
    flight.reported.clear()  # a call that was ended is told to the operator


def test_two_rows_of_values_are_not_one_question(shared: Served) -> None:
    """Each would be charged, and a driver would show one."""
    with shared.connect() as connection, connection.cursor() as cursor:
        cursor.adbc_prepare(f"{COUNT} WHERE age > ?")
        with pytest.raises(adbc.Error, match="one row"):
            cursor.execute(f"{COUNT} WHERE age > ?", pa.record_batch({"0": [1, 2]}))


def test_polars_reads_a_database_through_it(flight: Served) -> None:
    """`pl.read_database` over ADBC, as an analyst would."""
    with flight.connect() as connection:
        frame = pl.read_database(GROUPED, connection)
    assert frame.rows() == flight.federation.query(GROUPED).rows()


def test_the_type_names_are_those_of_the_specification() -> None:
    """Google's Any: the name decides, and a typing error would look like an unknown command."""
    assert PACKAGE == "type.googleapis.com/arrow.flight.protocol.sql."


def test_without_pyarrow_the_gateway_says_what_it_needs() -> None:
    """The one library that this face needs and the rest does not."""
    program = (
        "import sys; sys.modules['pyarrow'] = None\n"
        "from types import SimpleNamespace\n"
        "from gateway.app import _serve_flight\n"
        "from landbridge.edge.server import CannotListen\n"
        "off = SimpleNamespace(listen_flight='')\n"
        "assert _serve_flight(off, None, None, None, None, None) is None\n"
        "try:\n"
        "    _serve_flight(SimpleNamespace(listen_flight='x:1'), *[None] * 5)\n"
        "except CannotListen as told:\n"
        "    print(told)\n"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert "pip install 'landbridge[flight]'" in ran.stdout, ran.stderr
