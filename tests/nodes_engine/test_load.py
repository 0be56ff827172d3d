"""Loading: every broken promise is counted, no value is told, and all rows come in or none."""

from __future__ import annotations

import csv
import dataclasses
import datetime as dt
import json
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from landbridge.levels import Level
from nodes.engines import table
from nodes.engines.database import open_sealed
from nodes.load import LoadRefused, Report, Rule, Violation, load
from nodes.store import Loaded, Store
from policies.contract import Bounds, Column, Contract, Disclosure, Method, Type, Value
from tests import people
from tests.nodes_engine.conftest import SECRET

DATE = dt.date
MOMENT = dt.datetime


def column(name: str, kind: Type, **more: object) -> Column:
    """A column of level internal."""
    return Column(name, kind, Level.INTERNAL, **more)  # type: ignore[arg-type]


COLUMNS = (
    column("person", Type.TEXT, nullable=True),
    column("age", Type.INTEGER, bounds=Bounds(0, 120)),
    column("cost", Type.NUMBER, nullable=True, bounds=Bounds(-5.5, 1000)),
    column("district", Type.TEXT, domain=("D1", "D7", "it's")),
    column("insured", Type.BOOLEAN, nullable=True, domain=(False, True)),
    column("day", Type.DATE),
    column("at", Type.TIMESTAMP, nullable=True),
    column("receipt", Type.INTEGER, unique=True, nullable=True),
)
ROW: dict[str, object] = {
    "person": "p1",
    "age": 40,
    "cost": 1.25,
    "district": "D7",
    "insured": True,
    "day": DATE(2026, 1, 31),
    "at": MOMENT(2026, 1, 31, 5, 0),
    "receipt": None,
}
VISITS = Contract(
    "visits",
    "1.0.0",
    "",
    "",
    COLUMNS,
    "person",
    frozenset(),
    Disclosure(Method.DP, rows_per_unit=3),
    "d1",
)


def of(*columns: Column, unit: str | None = None) -> Contract:
    """A contract over the columns; unprotected where no unit is named."""
    method = Method.DP if unit else Method.UNPROTECTED
    return dataclasses.replace(VISITS, columns=columns, unit=unit, disclosure=Disclosure(method))


def write(path: Path, rows: list[dict[str, object]], names: list[str] | None = None) -> Path:
    """A CSV file: None is empty, dates are ISO, booleans true and false."""
    names = names or list(ROW)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, names, extrasaction="ignore")
        writer.writeheader()
        for row in rows:
            writer.writerow(
                {
                    name: str(value).lower() if isinstance(value, bool) else value
                    for name, value in row.items()
                }
            )
    return path


def stored(loaded: Loaded | None, columns: str = "* EXCLUDE (__row)") -> list[tuple[object, ...]]:
    """The rows of the stored table, without their places."""
    assert loaded is not None
    connection = open_sealed({"t": str(loaded.path)}, memory_bytes=128 << 20, threads=1)
    sql = f"SELECT {columns} FROM t"
    rows: list[tuple[object, ...]] = connection.execute(sql).fetchall()
    connection.close()
    return rows


def refused(contract: Contract, source: Path, store: Store) -> Report:
    """The report of a load that must be refused; checks that nothing of it is served."""
    before = store.current(contract.id)
    with pytest.raises(LoadRefused) as caught:
        load(contract, source, store)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    assert store.current(contract.id) == before
    files = {path.suffix for path in source.parent.joinpath("store", contract.id).iterdir()}
    assert files <= ({".json", ".duckdb", ""} if before else {""})
    return caught.value.report


def counted(report: Report) -> set[tuple[str, Rule, int]]:
    """The report's violations, whatever their order."""
    return {(v.column, v.rule, v.rows) for v in report.violations}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """An empty store."""
    return Store(tmp_path / "store")


def test_a_good_file_is_loaded_with_codes_units_and_ranks(tmp_path: Path, store: Store) -> None:
    """What the compiler relies on: names, types and codes of the stored table."""
    rows = [ROW, {**ROW, "person": "p2", "district": "it's", "insured": None, "cost": None}]
    report = load(VISITS, write(tmp_path / "v.csv", rows), store)
    assert report.loaded == store.current("visits")
    assert (report.rows, report.violations, report.unchanged) == (2, (), False)
    listed = ", ".join(f'"{name}"' for name in [*ROW, "__c_district", "__c_insured", "__rank"])
    assert sorted(stored(report.loaded, listed), key=str) == [
        ("p1", 40, 1.25, "D7", True, ROW["day"], ROW["at"], None, 1, 1, 1),
        ("p2", 40, None, "it's", None, ROW["day"], ROW["at"], None, 2, None, 1),
    ]
    types = {str(r[0]): str(r[1]) for r in described(report.loaded)}
    assert types == {
        "person": "VARCHAR",
        "age": "BIGINT",
        "cost": "DOUBLE",
        "district": "VARCHAR",
        "insured": "BOOLEAN",
        "day": "DATE",
        "at": "TIMESTAMP",
        "receipt": "BIGINT",
        "__c_district": "UTINYINT",
        "__c_insured": "UTINYINT",
        "__unit": "UINTEGER",
        "__rank": "UINTEGER",
        "__row": "BIGINT",
    }


def described(loaded: Loaded | None) -> list[tuple[object, ...]]:
    """Name and type of each column of the stored table, first in each row."""
    assert loaded is not None
    connection = open_sealed({"t": str(loaded.path)}, memory_bytes=128 << 20, threads=1)
    rows: list[tuple[object, ...]] = connection.execute("DESCRIBE t").fetchall()
    connection.close()
    return rows


BROKEN: list[tuple[str, object, Rule]] = [
    ("age", "4x", Rule.TYPE),
    ("age", "40.5", Rule.TYPE),
    ("age", "0x10", Rule.TYPE),
    ("age", "1_0", Rule.TYPE),
    ("age", "99999999999999999999", Rule.TYPE),
    ("age", "", Rule.NULL),
    ("age", "NA", Rule.NULL),
    ("age", "121", Rule.BOUNDS),
    ("age", "-1", Rule.BOUNDS),
    ("cost", "nan", Rule.TYPE),
    ("cost", "inf", Rule.TYPE),
    ("cost", "1e400", Rule.TYPE),
    ("cost", "1,5", Rule.TYPE),
    ("cost", "-5.51", Rule.BOUNDS),
    ("district", "D8", Rule.DOMAIN),
    ("district", "d7", Rule.DOMAIN),
    ("district", "D7 ", Rule.DOMAIN),
    ("district", "", Rule.NULL),
    ("insured", "yes", Rule.TYPE),
    ("day", "31.01.2026", Rule.TYPE),
    ("day", "2026-02-30", Rule.TYPE),
    ("day", "infinity", Rule.TYPE),
    ("day", "2026-01-31 05:00", Rule.TYPE),
    ("at", "2026-01-31T25:00:00", Rule.TYPE),
    ("at", "2026-01-31T05:00:00.1234567", Rule.TYPE),
    ("at", "epoch", Rule.TYPE),
]


@pytest.mark.parametrize(("name", "value", "rule"), BROKEN)
def test_each_broken_promise_is_found_counted_and_not_told(
    tmp_path: Path, store: Store, name: str, value: object, rule: Rule
) -> None:
    """One row among good ones is enough to refuse, with its column, its rule and the number 1."""
    rows = [ROW, {**ROW, name: value}, ROW]
    report = refused(VISITS, write(tmp_path / "v.csv", rows), store)
    assert counted(report) == {(name, rule, 1)}
    assert report.rows == 3


def test_every_violation_is_reported_at_once(tmp_path: Path, store: Store) -> None:
    """An owner who mends one thing at a time loads ten times; the report must be whole."""
    rows = [
        {**ROW, "age": 400, "cost": "x", "district": "D8", "receipt": 7},
        {**ROW, "age": "", "day": "?", "receipt": 7},
        {**ROW, "age": 121, "receipt": 7},
    ]
    names = [name for name in [*ROW, "extra"] if name != "insured"]
    report = refused(VISITS, write(tmp_path / "v.csv", rows, names), store)
    assert report.ignored == ("extra",)
    assert report.violations == (
        Violation("age", Rule.NULL, 1),
        Violation("age", Rule.BOUNDS, 2),
        Violation("cost", Rule.TYPE, 1),
        Violation("district", Rule.DOMAIN, 1),
        Violation("insured", Rule.ABSENT, 3),
        Violation("day", Rule.TYPE, 1),
        Violation("receipt", Rule.UNIQUE, 2),
    )


def test_no_report_holds_a_value(
    tmp_path: Path, store: Store, capfd: pytest.CaptureFixture[str]
) -> None:
    """The engine's messages quote rows; the owner's terminal and logs must not (I7)."""
    path = tmp_path / "v.csv"
    broken = [{**ROW, name: SECRET} for name in ROW if name not in ("person",)]
    report = refused(VISITS, write(path, broken), store)
    said = [repr(report), str(LoadRefused(report))]
    path.write_text(path.read_text() + f'"{SECRET}" {SECRET}, "x\n' + "," * 30 + "\n")
    report = refused(VISITS, path, store)
    said += [repr(report), str(LoadRefused(report)), *capfd.readouterr()]
    assert SECRET not in "".join(said)
    assert {rule for _, rule, _ in counted(report)} == {Rule.UNREADABLE}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe\x00",
        b"a,b\n1,2\n1,2,3\n",
        b'person,age\n"open',
        b"PAR1\x00\x00PAR1",
        b"\x00" * 100,
    ],
)
@pytest.mark.parametrize("name", ["v.csv", "v.parquet"])
def test_a_file_that_is_no_table_is_refused(
    tmp_path: Path, store: Store, content: bytes, name: str
) -> None:
    """Truncated exports and wrong suffixes end in one sentence."""
    (tmp_path / name).write_bytes(content)
    refused(VISITS, tmp_path / name, store)


def test_a_file_that_does_not_exist_is_refused(tmp_path: Path, store: Store) -> None:
    """So that an operator reads a sentence and no traceback."""
    report = refused(VISITS, tmp_path / "none.csv", store)
    assert counted(report) == {("", Rule.UNREADABLE, 0)}


@pytest.mark.parametrize("line", ["1,2,3", "1,2,3,4,5,6,7,8,9", 'p,1,"x"y,D7,true,,,'])
def test_an_unreadable_line_is_named_by_its_number(tmp_path: Path, store: Store, line: str) -> None:
    """Detection would take such a line for a header and drop all rows above; a number is no value.

    Without the number nobody finds the line.
    """
    path = write(tmp_path / "v.csv", [ROW] * 5)
    path.write_text(path.read_text() + line + "\n")
    (violation,) = refused(VISITS, path, store).violations
    assert violation == Violation("", Rule.UNREADABLE, 0, line=7)


@pytest.mark.parametrize("header", ["x,x", "x,x,y", "x,X", '"x', ""])
def test_a_header_that_names_two_columns_alike_is_refused(
    tmp_path: Path, store: Store, header: str
) -> None:
    """Nobody could tell which of the two is meant."""
    (tmp_path / "v.csv").write_text(f"{header}\n1,2,3\n")
    report = refused(of(column("x", Type.INTEGER)), tmp_path / "v.csv", store)
    assert counted(report) == {("", Rule.UNREADABLE, 0)}


def test_a_byte_order_mark_and_an_unnamed_column_do_no_harm(tmp_path: Path, store: Store) -> None:
    """Spreadsheets write the one and data frames the other."""
    (tmp_path / "v.csv").write_bytes(b"\xef\xbb\xbfx,\r\n7,0\r\n8,1\r\n")
    report = load(of(column("x", Type.INTEGER)), tmp_path / "v.csv", store)
    assert report.ignored == ("__column_2",)
    assert sorted(stored(report.loaded)) == [(7,), (8,)]


def test_a_bad_file_leaves_the_earlier_version(tmp_path: Path, store: Store) -> None:
    """Nothing is loaded, and what was served still is."""
    first = load(VISITS, write(tmp_path / "v.csv", [ROW]), store)
    refused(VISITS, write(tmp_path / "w.csv", [{**ROW, "age": 500}]), store)
    assert store.current("visits") == first.loaded
    assert len(stored(first.loaded)) == 1


def test_a_source_that_changes_under_the_load_is_refused(
    tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise the same version could stand for two contents."""
    path = write(tmp_path / "v.csv", [ROW])
    genuine = table.build

    def touched(*arguments: object, **named: object) -> object:
        built = genuine(*arguments, **named)  # type: ignore[arg-type]
        write(path, [ROW, ROW])
        return built

    monkeypatch.setattr("nodes.load.build", touched)
    assert counted(refused(VISITS, path, store)) == {("", Rule.CHANGING, 0)}


def test_rows_without_a_unit_are_set_aside(tmp_path: Path, store: Store) -> None:
    """They belong to nobody whose part could be bounded."""
    rows = [ROW, {**ROW, "person": None}, {**ROW, "person": "NA"}, {**ROW, "person": "p2"}]
    loaded = load(VISITS, write(tmp_path / "v.csv", rows), store).loaded
    assert loaded is not None
    assert (loaded.rows, loaded.units, loaded.set_aside, loaded.largest_unit) == (2, 2, 2, 1)
    strict = dataclasses.replace(
        VISITS, columns=(dataclasses.replace(COLUMNS[0], nullable=False), *COLUMNS[1:])
    )
    report = refused(strict, tmp_path / "v.csv", store)
    assert counted(report) == {("person", Rule.NULL, 2)}


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(people=st.lists(st.integers(0, 6) | st.none(), max_size=60))
def test_ranks_are_one_to_n_in_every_unit_and_units_are_dense(
    tmp_path: Path, store: Store, people: list[int | None]
) -> None:
    """`__rank <= n` bounds a unit's part only if no rank is missing or doubled."""
    rows = [{**ROW, "person": None if p is None else f"p{p}", "age": p or 0} for p in people]
    loaded = load(VISITS, write(tmp_path / "v.csv", rows), store).loaded
    assert loaded is not None
    ranks: dict[object, list[object]] = {}
    units: dict[object, set[object]] = {}
    for person, unit, rank in stored(loaded, "person, __unit, __rank"):
        ranks.setdefault(person, []).append(rank)
        units.setdefault(person, set()).add(unit)
    known = [p for p in people if p is not None]
    assert {p: sorted(r, key=str) for p, r in ranks.items()} == {
        f"p{p}": sorted(range(1, known.count(p) + 1), key=str) for p in set(known)
    }
    assert sorted(str(u) for u in units.values()) == sorted(str({n}) for n in range(len(units)))
    assert loaded.rows == len(known)
    assert loaded.units == len(set(known))
    assert loaded.set_aside == len(people) - len(known)
    assert loaded.largest_unit == max([known.count(p) for p in known], default=0)


def test_ranks_and_unit_numbers_do_not_follow_the_file(tmp_path: Path, store: Store) -> None:
    """Bounding must not prefer the first rows; a number must not tell who came first.

    False alarm: one permutation of 200 in 200! for either.
    """
    rows = [{**ROW, "person": "p", "receipt": n} for n in range(200)]
    loaded = load(VISITS, write(tmp_path / "v.csv", rows), store).loaded
    assert [row[0] for row in sorted(stored(loaded, "__rank, receipt"))] == list(range(1, 201))
    assert [row[1] for row in sorted(stored(loaded, "__rank, receipt"))] != list(range(200))
    rows = [{**ROW, "person": f"p{n:03}", "receipt": n} for n in range(200)]
    loaded = load(VISITS, write(tmp_path / "v.csv", rows), store).loaded
    assert [row[1] for row in sorted(stored(loaded, "__unit, receipt"))] != list(range(200))


def test_what_counts_comes_first_in_the_table(tmp_path: Path, store: Store) -> None:
    """A question that counts few rows a person then reads few; order says nothing else."""
    rows = [{**ROW, "person": f"p{n % 7}"} for n in range(200)]
    loaded = load(VISITS, write(tmp_path / "v.csv", rows), store).loaded
    counts = [int(str(row[0])) <= 3 for row in stored(loaded, "__rank")]
    assert counts == sorted(counts, reverse=True)
    assert sum(counts) == 7 * 3


def test_there_is_one_zero(tmp_path: Path, store: Store) -> None:
    """A unit spelt 0 and -0 would be two units otherwise, with every row of either in both."""
    contract = of(column("cost", Type.NUMBER), unit="cost")
    rows: list[dict[str, object]] = [
        {"cost": spelt} for spelt in ("0", "-0", "-0.0", "0.0", "1", "-1e-400")
    ]
    source = write(tmp_path / "v.csv", rows, ["cost"])
    loaded = load(contract, source, store).loaded
    assert loaded is not None
    assert (loaded.rows, loaded.units, loaded.largest_unit) == (6, 2, 5)
    assert {str(row[0]) for row in stored(loaded, "cost")} == {"0.0", "1.0"}


def test_units_that_are_unique_have_rank_one(tmp_path: Path, store: Store) -> None:
    """There is nothing to choose from, and the choosing was most of the load."""
    alone = dataclasses.replace(
        of(column("receipt", Type.INTEGER, unique=True, nullable=True), unit="receipt"),
        disclosure=Disclosure(Method.DP, rows_per_unit=1),
    )
    rows = [{**ROW, "receipt": n if n % 10 else None} for n in range(50)]
    loaded = load(alone, write(tmp_path / "v.csv", rows), store).loaded
    assert loaded is not None
    assert (loaded.rows, loaded.units, loaded.set_aside, loaded.largest_unit) == (45, 45, 5, 1)
    assert {row[0] for row in stored(loaded, "__rank")} == {1}


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    values=st.lists(
        st.tuples(st.integers(-(2**40), 2**40), st.floats(-1e6, 1e6) | st.none()), max_size=30
    ),
    ends=st.tuples(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6)).map(sorted),
)
def test_clipped_values_are_stored_beside_what_they_were(
    tmp_path: Path, store: Store, values: list[tuple[int, float | None]], ends: list[float]
) -> None:
    """Noise is scaled to the clip interval: a value outside it would tell of its owner."""
    clip, wide = Bounds(*ends), Bounds(-(2.0**40), 2.0**40)
    clipped = of(
        column("age", Type.INTEGER, bounds=wide, clip=Bounds(-7, 9)),
        column("cost", Type.NUMBER, nullable=True, bounds=wide, clip=clip),
        column("receipt", Type.INTEGER, nullable=True, bounds=wide, clip=wide),
    )
    rows = [{**ROW, "age": age, "cost": cost} for age, cost in values]
    loaded = load(clipped, write(tmp_path / "v.csv", rows), store).loaded
    assert "__k_receipt" not in {row[0] for row in described(loaded)}
    assert {row[0]: row[1] for row in described(loaded)}["__k_cost"] == "DOUBLE"
    assert {row[0]: row[1] for row in described(loaded)}["__k_age"] == "BIGINT"
    for age, kept, cost, held in stored(loaded, "age, __k_age, cost, __k_cost"):
        assert kept == min(max(age, -7), 9)  # type: ignore[call-overload]
        whole = cost is None
        assert held is None if whole else held == min(max(cost, clip.low), clip.high)  # type: ignore[call-overload]


def test_another_clip_interval_is_another_table(tmp_path: Path, store: Store) -> None:
    """What was clamped to the earlier one must not be summed under the later one's noise."""
    source = write(tmp_path / "v.csv", [{**ROW, "age": 100}])
    found = []
    for high in (90, 80):
        terms = of(column("age", Type.INTEGER, bounds=Bounds(0, 120), clip=Bounds(0, high)))
        report = load(terms, source, store)
        assert not report.unchanged
        found.append(stored(report.loaded, "__k_age"))
    assert found == [[(90,)], [(80,)]]


def test_an_unprotected_table_has_no_units(tmp_path: Path, store: Store) -> None:
    """It describes nobody, so there is nothing to bound."""
    contract = of(column("age", Type.INTEGER, domain=tuple(range(300))))
    report = load(contract, write(tmp_path / "v.csv", [ROW]), store)
    assert [(row[0], row[1]) for row in described(report.loaded)] == [
        ("age", "BIGINT"),
        ("__c_age", "USMALLINT"),
        ("__row", "BIGINT"),
    ]
    assert stored(report.loaded) == [(40, 40)]
    assert report.ignored == tuple(name for name in ROW if name != "age")


def test_the_same_source_keeps_its_version_and_other_data_gets_another(
    tmp_path: Path, store: Store
) -> None:
    """A nightly load of the same file must not make every remembered answer cost again."""
    path = write(tmp_path / "v.csv", [ROW])
    first = load(VISITS, path, store)
    terms = dataclasses.replace(VISITS, digest="d2", purposes=frozenset({"dpv:X"}))
    again = load(terms, path, store)
    assert again.unchanged
    assert first.loaded is not None
    assert again.loaded == dataclasses.replace(first.loaded, contract_digest="d2")
    assert store.current("visits") == again.loaded
    versions = {first.loaded.version}
    write(path, [{**ROW, "age": 41}])
    for contract in (VISITS, dataclasses.replace(VISITS, columns=COLUMNS[:-1])):
        changed = load(contract, path, store).loaded
        assert changed is not None
        versions.add(changed.version)
    assert len(versions) == 3


def test_the_version_tells_nothing_of_the_data(tmp_path: Path) -> None:
    """Versions stand in logs: two loads of one file elsewhere must not be seen to be equal."""
    path = write(tmp_path / "v.csv", [ROW])
    versions = set()
    for name in ("a", "b"):
        loaded = load(VISITS, path, Store(tmp_path / name)).loaded
        assert loaded is not None
        versions.add(loaded.version)
    assert len(versions) == 2


def test_what_missing_means_is_the_callers_choice(tmp_path: Path, store: Store) -> None:
    """'NA' is a country and a person's name too."""
    contract = of(column("district", Type.TEXT, domain=("NA", "D7")))
    path = write(tmp_path / "v.csv", [{"district": "NA"}, {"district": "D7"}])
    refused(contract, path, store)
    assert load(contract, path, store, missing=("",)).rows == 2


@pytest.mark.parametrize("hostile", ['a"b', "a'; DROP TABLE data; --", "x y", "select", "é"])
def test_names_from_files_and_contracts_are_only_names(
    tmp_path: Path, store: Store, hostile: str
) -> None:
    """Contract names are checked elsewhere; here nothing may hang on that."""
    contract = of(column(hostile, Type.INTEGER, domain=(1, 2)))
    path = write(tmp_path / f"v{hostile[0]}'.csv", [{hostile: 2}], [hostile, "__order", "source"])
    loaded = load(contract, path, store).loaded
    assert stored(loaded) == [(2, 1)]


VALUES: dict[Type, st.SearchStrategy[Value]] = {
    Type.INTEGER: st.integers(-(2**63), 2**63 - 1),
    Type.NUMBER: st.floats(allow_nan=False, allow_infinity=False),
    Type.TEXT: st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1).filter(
        lambda text: text != "NA"
    ),
    Type.BOOLEAN: st.booleans(),
    Type.DATE: st.dates(),
    Type.TIMESTAMP: st.datetimes(),
}
ARROW = {
    Type.INTEGER: pa.int64(),
    Type.NUMBER: pa.float64(),
    Type.TEXT: pa.string(),
    Type.BOOLEAN: pa.bool_(),
    Type.DATE: pa.date32(),
    Type.TIMESTAMP: pa.timestamp("us"),
}


@pytest.mark.parametrize("kind", Type)
@pytest.mark.parametrize("suffix", ["csv", "parquet"])
@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_every_value_of_every_type_comes_through(
    tmp_path: Path, store: Store, kind: Type, suffix: str, data: st.DataObject
) -> None:
    """A value that the contract allows is stored as it was written, by either kind of file."""
    values = data.draw(st.lists(VALUES[kind] | st.none(), min_size=1, max_size=30))
    path = tmp_path / f"v.{suffix}"
    if suffix == "csv":
        # The second column keeps a row of one NULL from being an empty line.
        write(path, [{"x": value, "y": 1} for value in values], ["x", "y"])
    else:
        table = pa.table({"x": pa.array(values, ARROW[kind]), "y": [1] * len(values)})
        parquet.write_table(table, path)
    # One more, because an empty domain means none.
    given = [*values, data.draw(VALUES[kind])]
    domain = tuple(dict.fromkeys(value for value in given if value is not None))
    contract = of(column("x", kind, nullable=True, domain=domain))
    loaded = load(contract, path, store).loaded
    expected = [
        (v + 0.0 if isinstance(v, float) else v, None if v is None else domain.index(v))
        for v in values  # plus 0.0, because there is one zero
    ]
    assert sorted(stored(loaded, "x, __c_x"), key=repr) == sorted(expected, key=repr)


FITTING = [
    (Type.INTEGER, pa.array([1.0, None], pa.float64()), True),
    (Type.INTEGER, pa.array([1.5], pa.float64()), False),
    (Type.INTEGER, pa.array([float("nan")], pa.float64()), False),
    (Type.INTEGER, pa.array([2**64 - 1], pa.uint64()), False),
    (Type.INTEGER, pa.array([True], pa.bool_()), False),
    (Type.INTEGER, pa.array(["7"], pa.string()), True),
    (Type.NUMBER, pa.array([2**53], pa.int64()), True),
    (Type.NUMBER, pa.array([2**53 + 1], pa.int64()), False),
    (Type.NUMBER, pa.array([float("inf")], pa.float64()), False),
    (Type.NUMBER, pa.array([0.1], pa.float32()), True),
    (Type.TEXT, pa.array([7], pa.int32()), True),
    (Type.TEXT, pa.array(["a"]).dictionary_encode(), True),
    (Type.TEXT, pa.array([b"a"], pa.binary()), False),
    (Type.TEXT, pa.array([["a"]], pa.list_(pa.string())), False),
    (Type.BOOLEAN, pa.array([0, 1], pa.int8()), True),
    (Type.BOOLEAN, pa.array([2], pa.int8()), False),
    (Type.DATE, pa.array([MOMENT(2026, 1, 1)], pa.timestamp("ms")), True),
    (Type.DATE, pa.array([MOMENT(2026, 1, 1, 1)], pa.timestamp("us")), False),
    (Type.TIMESTAMP, pa.array([1_000], pa.timestamp("ns")), True),
    (Type.TIMESTAMP, pa.array([1_001], pa.timestamp("ns")), False),
    (Type.TIMESTAMP, pa.array([0], pa.timestamp("us", "Asia/Shanghai")), True),
    (Type.TIMESTAMP, pa.array([DATE(2026, 1, 1)]), True),
    (Type.TIMESTAMP, pa.array([5], pa.int64()), False),
]


@pytest.mark.parametrize(("kind", "array", "fits"), FITTING)
def test_a_parquet_column_of_another_type_is_cast_if_nothing_is_lost(
    tmp_path: Path,
    store: Store,
    kind: Type,
    array: pa.Array,
    fits: bool,
) -> None:
    """Exports differ in their types; a cast that rounds or wraps would change answers silently."""
    path = tmp_path / "v.parquet"
    parquet.write_table(pa.table({"x": array}), path)
    contract = of(column("x", kind, nullable=True))
    if fits:
        assert load(contract, path, store).rows == len(array)
    else:
        assert counted(refused(contract, path, store)) == {("x", Rule.TYPE, 1)}


@pytest.mark.parametrize(
    ("written", "utc"),
    [
        ("2026-01-31T05:00:00Z", MOMENT(2026, 1, 31, 5)),
        ("2026-01-31 05:00", MOMENT(2026, 1, 31, 5)),
        ("2026-01-31T05:00:00+02:00", MOMENT(2026, 1, 31, 3)),
        ("2026-01-31T05:00:00.5-0130", MOMENT(2026, 1, 31, 6, 30, 0, 500_000)),
        ("2026-01-31", MOMENT(2026, 1, 31)),
    ],
)
def test_timestamps_are_stored_in_utc(
    tmp_path: Path, store: Store, written: str, utc: MOMENT
) -> None:
    """DuckDB's own cast drops the offset, which moves events by hours."""
    loaded = load(
        of(column("x", Type.TIMESTAMP)), write(tmp_path / "v.csv", [{"x": written}], ["x"]), store
    ).loaded
    assert stored(loaded) == [(utc,)]


def test_a_load_of_a_contract_over_a_damaged_store_repairs_it(tmp_path: Path, store: Store) -> None:
    """The way out of a damaged store is the ordinary one: load again."""
    path = write(tmp_path / "v.csv", [ROW])
    first = load(VISITS, path, store).loaded
    assert first is not None
    name = first.path.parent / "current.json"
    name.write_text(json.dumps({"version": 3}))
    second = load(VISITS, path, store)
    assert not second.unchanged
    assert store.current("visits") == second.loaded


def test_a_folder_of_partitions_is_one_table(tmp_path: Path) -> None:
    """As lakes have them: a column in the folders' names, and a file that lacks one that may."""
    contract = people.contract()
    rows = people.crowd(40)
    folder = tmp_path / "people"
    connection = duckdb.connect()
    source = people.write(rows, tmp_path / "people.csv")
    connection.execute(f"CREATE TABLE rows AS FROM read_csv('{source}', nullstr = '')")
    connection.execute(
        f"COPY rows TO '{folder}' (FORMAT parquet, PARTITION_BY (district), OVERWRITE)"
    )
    connection.close()
    store = Store(tmp_path / "store")
    found = load(contract, folder, store)
    assert found.loaded is not None
    assert (found.rows, found.loaded.units) == (40, 40)
    assert load(contract, folder, store).unchanged
    moved = next(folder.glob("district=D1"))
    moved.rename(folder / "district=D2_")
    with pytest.raises(LoadRefused, match=r"district: \d+ rows are not in the"):
        load(contract, folder, store)
