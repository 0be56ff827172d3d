"""Statements that single somebody out, where t has a rare value, a common one, or is absent.

R: refused from text and policy alone, before any engine runs, with the same bytes in every world,
and charged nothing. N: answered only with noise, and the cost is the same in every world.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from landbridge.errors import InvalidQuestion, LandbridgeError, Refused
from policies.noise import draw
from tests.people import TARGET, Row, crowd, document, write
from tests.simulator import FederationSimulator

COMMON = (*TARGET[:6], "flu", *TARGET[7:])


def worlds() -> dict[str, list[Row]]:
    """The same others; t with the rare diagnosis, with a common one, and not there at all."""
    others = crowd(300)
    return {"rare": [*others, TARGET], "common": [*others, COMMON], "absent": others}


REFUSED = {
    "1 id filter": "SELECT avg(income) FROM people WHERE person_id=4711",
    "6a disguised equality": "SELECT count(*) FROM people "
    "WHERE NOT(person_id<4711 OR person_id>4711)",
    "6b coalesce": "SELECT count(*) FROM people WHERE coalesce(nullif(person_id,4711),-1)=-1",
    "6c hash": "SELECT count(*) FROM people WHERE hash(name)=hash('Zoltan Q')",
    "6d tuple": "SELECT count(*) FROM people WHERE (person_id,sex)=(4711,'F')",
    "7 rowid": "SELECT count(*) FROM people WHERE rowid=7",
    "11a row as struct": "SELECT max(people) FROM people",
    "11b struct field": "SELECT count(*) FROM people WHERE struct_extract(people,'person_id')=4711",
    "12a alias list": "SELECT count(*) FROM people p(a,b,c,d,e,f,g) WHERE a=4711",
    "12b rename": "SELECT count(*) FROM (SELECT * RENAME (person_id AS x) FROM people) "
    "WHERE x=4711",
    "13 split group key": "SELECT district,count(*) FROM people GROUP BY district,(person_id=4711)",
    "14a case": "SELECT sum(CASE WHEN person_id=4711 THEN income ELSE 0 END) FROM people",
    "14b filter": "SELECT sum(income) FILTER (WHERE age=93 AND district='D7') FROM people",
    "15 other table": "SELECT count(*) FROM people p WHERE EXISTS"
    "(SELECT 1 FROM visits v WHERE v.person_id=p.person_id AND v.cost=812.37)",
    "17 having": "SELECT district,count(*) FROM people GROUP BY district "
    "HAVING max(CASE WHEN age=93 AND diagnosis='X1' THEN 1 ELSE 0 END)=1",
    "19 top n inside": "SELECT count(*) FROM (SELECT * FROM people ORDER BY income DESC LIMIT 11) "
    "WHERE diagnosis='X1'",
    "20 qualify": "SELECT count(*) FROM (SELECT * FROM people QUALIFY row_number() "
    "OVER (PARTITION BY district ORDER BY age DESC)=1) WHERE diagnosis='X1'",
    "22a substr key": "SELECT substr(name,1,6),count(*) FROM people GROUP BY 1",
    "22b income key": "SELECT income,count(*) FROM people GROUP BY income",
    "24 rollup": "SELECT district,sex,count(*) FROM people GROUP BY ROLLUP(district,sex)",
    "29 order statistics": "SELECT max(income),quantile_disc(income,0.999),median(income),"
    "mode(name),arg_max(name,income),min_by(name,age) FROM people",
    "30 collectors": "SELECT list(diagnosis),string_agg(name,','),any_value(name) FROM people",
    "31a bit packing": "SELECT sum(income::HUGEINT<<(20*(age-90))) FROM people "
    "WHERE age BETWEEN 90 AND 93",
    "31b power": "SELECT sum(income*pow(2,age)) FROM people",
    "32 clamp bypass": "SELECT sum(income+1e15*(diagnosis='X1')::INT*(age=93)::INT) FROM people",
    "35 count distinct": "SELECT count(DISTINCT diagnosis) FROM people",
    "35b distinct rows": "SELECT count(DISTINCT people) FROM people",
    "37a row multiplication": "SELECT count(*) FROM people, range(1000) t",
    "37b cross join": "SELECT count(*) FROM people p, people v",
    "42 overflow": "SELECT sum(income*9223372036854775807) FROM people",
    "49 pseudo-random": "SELECT count(*) FROM people "
    "WHERE floor(pow(person_id+0.5,0.8))%2=0 AND diagnosis='X1'",
    "55 cast": "SELECT count(*) FROM people WHERE diagnosis::INT=1",
    "55b cast in count": "SELECT count(name::UUID) FROM people",
    "56 error oracle": "SELECT sum(CASE WHEN age=93 AND diagnosis='X1' THEN 1//0 ELSE 0 END) "
    "FROM people",
    "57 error()": "SELECT count(error(name)) FROM people",
    "58 data as pattern": "SELECT count(regexp_matches('a',concat('(',name))) FROM people",
    "60 sleep": "SELECT count(*) FROM people WHERE age=93 AND sleep_ms(1500)",
    "61 costly branch": "SELECT count(*) FROM people WHERE age=93 AND "
    "(SELECT count(*) FROM range(3000000000))>0",
    "64a explain": "EXPLAIN ANALYZE SELECT count(*) FROM people WHERE diagnosis='X1'",
    "64b summarize": "SUMMARIZE people",
    "64c pragma": "PRAGMA storage_info('people')",
    "64d catalogue": "SELECT * FROM duckdb_tables()",
    "65 stacked": "SELECT count(*) FROM people; SELECT name FROM people LIMIT 1",
    "66a variable": "SET VARIABLE x=(SELECT list(name) FROM people)",
    "66b temp table": "CREATE TEMP TABLE z AS FROM people",
    "67a sql in sql": "SELECT * FROM query('SELECT name FROM people')",
    "67b query_table": "FROM query_table('people')",
    "68a file": "SELECT * FROM read_csv('/etc/passwd')",
    "68b quoted file": "SELECT count(*) FROM '/etc/passwd'",
    "70a attach": "ATTACH ':memory:' AS m",
    "70b copy": "COPY people TO 'x.csv'",
    "70c install": "INSTALL httpfs",
    "70d set": "SET threads=64",
    "72a bomb": "SELECT list_sum(range(200000000))",
    "72b recursive": "WITH RECURSIVE r(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM r) "
    "SELECT count(*) FROM r",
    "73a two strings": "SELECT count(*) FROM people WHERE name='n' '7'",
    "73b dollar quotes": "SELECT count(*) FROM people WHERE name=$$n7$$ || 'x'",
    "75 shadowing": "WITH people AS (SELECT * FROM visits) SELECT count(*) FROM people",
    "80a anti join": "SELECT count(*) FROM people p ANTI JOIN visits v USING(person_id)",
    "80b outer join": "SELECT count(*)-count(v.person_id) FROM people p "
    "LEFT JOIN visits v USING(person_id)",
    "rows": "SELECT * FROM people",
    "one column": "SELECT district FROM people",
    "a key that is not grouped": "SELECT sex, count(*) FROM people GROUP BY district",
    "distinct": "SELECT DISTINCT district FROM people",
    "union": "SELECT count(*) FROM people UNION SELECT count(*) FROM people",
    "window": "SELECT count(*) OVER () FROM people",
    "sample": "SELECT count(*) FROM people USING SAMPLE 1",
    "group by all": "SELECT district, count(*) FROM people GROUP BY ALL",
    "method chain": "SELECT count(*) FROM people WHERE name.upper() = 'ZOLTAN Q'",
    "column pattern": "SELECT count(COLUMNS('n.*')) FROM people",
    "positional": "SELECT #1 FROM people",
    "order by a column": "SELECT count(*) FROM people ORDER BY income",
    "offset": "SELECT district, count(*) FROM people GROUP BY district LIMIT 1 OFFSET 1",
    "parameter": "SELECT count(*) FROM people WHERE age = ?",
    "lambda": "SELECT count(list_filter([age], x -> x = 93)) FROM people",
    "is true": "SELECT count(*) FROM people WHERE (age = 93) IS TRUE",
    "like in the middle": "SELECT count(*) FROM people WHERE diagnosis LIKE '%X1'",
    "like escape": "SELECT count(*) FROM people WHERE diagnosis LIKE 'X1%' ESCAPE '1'",
    "ilike": "SELECT count(*) FROM people WHERE diagnosis ILIKE 'x1%'",
    "collate": "SELECT count(*) FROM people WHERE diagnosis = 'x1' COLLATE NOCASE",
    "null comparison": "SELECT count(*) FROM people WHERE diagnosis IS DISTINCT FROM 'X1'",
}

NOISY = {
    "33 moments": "SELECT stddev(income),corr(income,age),regr_slope(income,age) FROM people "
    "WHERE age=93",
    "14a' case on allowed columns": "SELECT sum(CASE WHEN age=93 AND district='D7' THEN income "
    "ELSE 0 END) FROM people",
    "2 quasi-id filter": "SELECT count(*) FROM people "
    "WHERE district='D7' AND age=93 AND sex='F' AND diagnosis='X1'",
    "3 complement": "SELECT sum(income) FROM people "
    "WHERE NOT(district='D7' AND age=93 AND sex='F')",
    "4 tracker": "SELECT count(*) FROM people WHERE sex='F' AND NOT(district='D7' AND age=93)",
    "21 rare key": "SELECT diagnosis, count(*) FROM people GROUP BY diagnosis",
    "25 margins": "SELECT district, sex, count(*) FROM people GROUP BY district, sex",
    "28 bisection": "SELECT count(*) FROM people WHERE income>812344",
    "34 null or value": "SELECT sum(income) AS s, avg(age) AS a FROM people "
    "WHERE district='D7' AND diagnosis='X1'",
    "36 average": "SELECT avg(income) FROM people WHERE district='D7'",
    "45 dummy condition": "SELECT count(*) FROM people WHERE age=93 AND income<>1",
}


@pytest.fixture(scope="module")
def federation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FederationSimulator]:
    """One department per world, all with the same contract and real noise."""
    folder = tmp_path_factory.mktemp("worlds")
    files = {name: write(rows, folder / f"{name}.csv") for name, rows in worlds().items()}
    made = FederationSimulator(folder, files, document(), draw=draw)
    yield made
    made.close()


@pytest.mark.parametrize("name", REFUSED)
def test_refused_alike_in_every_world_before_data_is_touched(
    federation: FederationSimulator, name: str
) -> None:
    """R: same status and bytes, no engine run, nothing charged, one log entry."""
    said = []
    for place, node in federation.nodes.items():
        runs = node.runs
        with pytest.raises((Refused, InvalidQuestion)) as refused:
            federation.query(REFUSED[name].replace("FROM people", f"FROM {place}.people"))
        said.append(str(refused.value).replace(place, "?"))
        assert node.runs == runs
        assert federation.entries()[-1].outcome == "refused"
        assert federation.entries()[-1].charged_micro_rho == 0
    assert len({text.split(" at line")[0] for text in said}) == 1


@pytest.mark.parametrize("name", NOISY)
def test_answered_with_the_same_shape_and_cost_in_every_world(
    federation: FederationSimulator, name: str
) -> None:
    """N: rows, columns, notes, cost and budget are functions of the text alone."""
    shapes = set()
    for place in federation.nodes:
        sql = NOISY[name].replace("FROM people", f"FROM {place}.people")
        answer = federation.query(sql, epsilon=0.5)
        # An average may be NULL where the noise leaves too few rows: that is the noise speaking.
        notes = [note for note in answer.notes if note.kind != "untold"]
        released = [column.released for column in answer.columns]
        keys = [
            [cell.value for cell, noisy in zip(row, released, strict=True) if not noisy]
            for row in answer.cells
        ]
        shape = repr((answer.columns, keys, notes, answer.cost, answer.departments))
        shapes.add(shape.replace(place, "?"))
    assert len(shapes) == 1


def test_the_same_statements_do_leak_from_a_plain_database(tmp_path: Path) -> None:
    """Positive control: a harness that sees no difference there would be broken."""
    leaking = 0
    plain = []
    for name, rows in worlds().items():
        path = write(rows, tmp_path / f"{name}.csv")
        plain.append(duckdb.connect())
        plain[-1].execute(f"CREATE TABLE people AS FROM read_csv('{path}', header=true)")
    for sql in {**REFUSED, **NOISY}.values():
        if any(word in sql for word in ("visits", "range(", "RECURSIVE", "COPY", "INSTALL")):
            continue  # too slow, elsewhere, or a call to the internet
        answers = []
        for connection in plain:
            try:
                answers.append(repr(connection.cursor().execute(sql).fetchall()))
            except duckdb.Error as failure:
                answers.append(repr(failure))
        leaking += len(set(answers)) > 1
    for connection in plain:
        connection.close()
    assert leaking >= 25


@pytest.mark.parametrize(
    "text",
    [
        "SELECT count(*) FROM people WHERE " + " OR ".join(["age = 1"] * 5_000),
        "SELECT count(*) FROM people WHERE " + "(" * 20_000 + "age = 1" + ")" * 20_000,
        "SELECT count(*) FROM people WHERE " + "NOT " * 2_000 + "member",
        "SELECT sum(" + "-" * 3_000 + "1) FROM people",
        "SELECT sum(" + "+".join(["age"] * 2_000) + ") FROM people",
        "SELECT count(*) FROM people\0",
        "SELECT count(*) FROM people WHERE age = 1 \u200b",
        "SELECT count(*) FROM p\u0435ople",
        "SELECT count(*) FROM people WHERE \u202e1 = ega",
        "x" * 1_000_000,
        "/* " * 3_000,
        "'" * 999,
        ";;;;",
        "",
        "   ",
        "SELECT count(*) FROM people WHERE age IN (" + ",".join(map(str, range(1_000))) + ")",
        "SELECT count(*) FROM people WHERE age < 1e400",
        "SELECT count(*) FROM people WHERE age < " + "9" * 500,
        "SELECT " + ", ".join(f"sum(age + {n})" for n in range(60)) + " FROM people",
    ],
    ids=lambda text: text[:40].encode("unicode_escape").decode(),
)  # fmt: skip
def test_hostile_text_is_one_clear_refusal(federation: FederationSimulator, text: str) -> None:
    """Attack 74: whatever is sent, the answer is a sentence and the service goes on."""
    with pytest.raises(LandbridgeError) as refused:
        federation.query(text)
    assert refused.value.reason in ("INVALID_QUESTION", "NOT_AVAILABLE", "UNBOUNDED_EXPRESSION")
    assert federation.entries()[-1].outcome == "refused"
    assert federation.explain("SELECT count(*) FROM people").cells == 1


@pytest.mark.parametrize(
    "text",
    [
        "SELECT count(*) FROM people WHERE " + "ROW(" * 16 + "1" + ")" * 16 + " = 1",
        "SELECT count(*) FROM people WHERE " + "DATE(" * 16 + "1" + ")" * 16 + " = 1",
        "SELECT count(*) FROM people WHERE " + "DECIMAL(" * 14 + "1" + ")" * 14 + " = 1",
        "SELECT count(*) FROM people" + " JOIN t" * 20,
        "SELECT count(*) FROM people WHERE age" + "[1]" * 900,
        "SELECT sum(" + "+".join(["age"] * 900) + ") FROM people",
        "SELECT " + ", ".join(["avg(" + "+".join(["age"] * 300) + ")"] * 9) + " FROM people",
        "SELECT count(*) FROM people WHERE " + " AND ".join(["age > 1"] * 400),
        "SELECT count(*) FROM people WHERE " + "{" * 30 + "}" * 30,
        "EXPLAIN SELECT 'Zoltan Q has X1'",
    ],
    ids=lambda text: text[:48],
)
def test_what_a_parser_would_choke_on_never_reaches_it(
    federation: FederationSimulator, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Short texts can cost a backtracking parser seconds; the words alone are enough to refuse."""

    def parse(*_: object, **__: object) -> None:
        raise AssertionError("the parser was asked")

    monkeypatch.setattr("sqlglot.parse", parse)
    with pytest.raises(InvalidQuestion) as refused:
        federation.query(text)
    assert refused.value.reason == "INVALID_QUESTION"


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ("SELECT count(*) FROM people\nWHERE upper(name) = 'X'", 2, 7),
        ("SELECT count(*)\nFROM people\nQUALIFY count(*) > 1", 3, 1),
        ("SELECT count(*) FROM people WHERE age = x'6e37'", 1, 42),
        ("SELECT mode(age) FROM people", 1, 8),
        ("SELECT max(age) FROM people", 1, 12),
        ("SELECT count(*) FROM people; SELECT 1", 1, 30),
        ("SELECT count() FROM people", 1, 8),
        ("SELECT count(*) FROM people LIMIT 99999999999", 1, 35),
        ("SELECT count(*) FROM people ORDER BY " + "1" * 5_000, 1, 38),
    ],
)
def test_a_refusal_says_where(
    federation: FederationSimulator, text: str, line: int, column: int
) -> None:
    """Line and column of the first thing that is not accepted."""
    with pytest.raises(InvalidQuestion) as refused:
        federation.query(text)
    assert refused.value.position is not None
    assert (refused.value.position.line, refused.value.position.column) == (line, column)
