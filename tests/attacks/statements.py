"""The statements of the table that `test_statements` does not hold yet, by row number.

Where a row of the table lists several texts or functions each stands alone here, so that one that
is refused cannot hide another that is not.
"""

from __future__ import annotations

REFUSED = {
    "6e disguised equality, negated list": "SELECT count(*) FROM people WHERE NOT person_id "
    "NOT IN (4711)",
    "11c whole row": "SELECT count(people) FROM people",
    "11d star": "SELECT count(p.*) FROM people p",
    "12c exclude": "SELECT count(*) FROM (SELECT * EXCLUDE (name) FROM people) WHERE age=93",
    "14c filter on the id": "SELECT count(*) FILTER (WHERE person_id=4711) FROM people",
    "15b semi by IN": "SELECT count(*) FROM people WHERE person_id IN "
    "(SELECT person_id FROM visits WHERE cost=812.37)",
    "15c scalar subquery": "SELECT count(*) FROM people WHERE income > "
    "(SELECT max(cost) FROM visits)",
    "19b limit by share": "SELECT avg(income) FROM (SELECT * FROM people ORDER BY age LIMIT 1%)",
    "20b window": "SELECT sum(lag(income) OVER (ORDER BY age)) FROM people",
    "20c distinct on": "SELECT count(*) FROM (SELECT DISTINCT ON (district) * FROM people) "
    "WHERE diagnosis='X1'",
    "24b cube": "SELECT district,sex,count(*) FROM people GROUP BY CUBE(district,sex)",
    "24c grouping sets": "SELECT district,sex,count(*) FROM people "
    "GROUP BY GROUPING SETS ((district),(district,sex))",
    **{
        f"29 {name}": f"SELECT {name} FROM people"
        for name in (
            "max(name)", "min(diagnosis)", "mode(name)", "arg_max(name,income)",
            "min_by(name,age)", "max(income,3)", "mad(income)", "entropy(diagnosis)",
        )
    },
    **{
        f"30 {name}": f"SELECT {name} FROM people"
        for name in (
            "list(diagnosis)", "string_agg(name,',')", "any_value(name)", "first(name)",
            "histogram(diagnosis)", "approx_top_k(name,3)", "bit_xor(income)", "bit_and(age)",
            "product(age)", "bool_or(member)", "count_if(age=93)", "last(income)",
        )
    },
    "31c shift": "SELECT sum(income << 20) FROM people",
    "31d modulo": "SELECT sum(income % 1000) FROM people",
    "37c cross join": "SELECT count(*) FROM people p CROSS JOIN visits v",
    "37d comma join": "SELECT count(*) FROM people p, visits v",
    "37e join on a column": "SELECT count(*) FROM people p JOIN visits v ON p.district=v.district",
    "37f join on true": "SELECT count(*) FROM people p JOIN visits v ON true",
    "37g natural join": "SELECT count(*) FROM people NATURAL JOIN visits",
    "37h positional join": "SELECT count(*) FROM people POSITIONAL JOIN visits",
    "37i unnest": "SELECT count(*) FROM people, unnest([1,2,3])",
    "37j join by another column": "SELECT count(*) FROM people JOIN visits USING(district)",
    "42b cast": "SELECT sum(income::BIGINT) FROM people",
    "48 hash": "SELECT count(*) FROM people WHERE hash(name)%2=0 AND diagnosis='X1'",
    "49b modulo": "SELECT count(*) FROM people WHERE person_id%2=0",
    "49c modulo of an open column": "SELECT count(*) FROM people WHERE age%2=0",
    "55c try_cast": "SELECT count(TRY_CAST(diagnosis AS INT)) FROM people",
    "57b write_log": "SELECT count(write_log(name)) FROM people",
    "58b strptime": "SELECT count(strptime(name,'%Y')) FROM people",
    "58c json": "SELECT count(name::JSON) FROM people",
    "58d like a column": "SELECT count(*) FROM people WHERE 'a' LIKE diagnosis",
    "60b sleep": "SELECT count(*) FROM people WHERE age=93 AND diagnosis='X1' AND pg_sleep(2)",
    "61b repeat": "SELECT count(*) FROM people WHERE length(repeat('a',"
    "CASE WHEN diagnosis='X1' THEN 400000000 ELSE 1 END))>0",
    "64e stats": "SELECT stats(income) FROM people LIMIT 1",
    "64f describe": "DESCRIBE people",
    "64g show": "SHOW TABLES",
    "64h information schema": "SELECT count(*) FROM information_schema.tables",
    "64i typeof": "SELECT count(typeof(income)) FROM people",
    "66c prepare": "PREPARE q AS SELECT name FROM people",
    "66d execute": "EXECUTE q",
    "66e getvariable": "SELECT count(*) FROM people WHERE age=getvariable('x')",
    "67c serialized": "FROM json_execute_serialized_sql(json_serialize_sql("
    "'SELECT name FROM people'))",
    "68c glob": "SELECT * FROM glob('/etc/*')",
    "68d sniff": "SELECT * FROM sniff_csv('/etc/passwd')",
    "68e text": "SELECT count(*) FROM read_text('/etc/passwd')",
    "68f blob in a condition": "SELECT count(*) FROM people WHERE age="
    "(SELECT count(*) FROM read_blob('/proc/self/environ'))",
    "70e export": "EXPORT DATABASE '/tmp/x'",
    "70f load": "LOAD httpfs",
    "70g pragma": "PRAGMA memory_limit='10GB'",
    "70h checkpoint": "CHECKPOINT",
    "70i call": "CALL pragma_version()",
    "70j delete": "DELETE FROM people",
    "70k insert": "INSERT INTO people SELECT * FROM people",
    "70l use": "USE memory",
    "71 replacement scan": "SELECT count(*) FROM ledger",
    "72c repeat": "SELECT sum(length(repeat(name,5000000))) FROM people",
    "73c bang": "SELECT count(*) FROM people WHERE !(age=1)",
    "73d dollar": "SELECT count(*) FROM people WHERE diagnosis=$$X1$$",
    "73e hex text": "SELECT count(*) FROM people WHERE diagnosis=x'6e37'",
    "73f backticks": "SELECT count(*) FROM `people`",
    "73g two statements": "SELECT count(*) FROM people;;SELECT count(*) FROM people",
    "73h escape text": "SELECT count(*) FROM people WHERE diagnosis=e'X\\x31'",
    "75b macro": "CREATE MACRO count(x) AS 1",
    "75c view": "CREATE VIEW people AS SELECT * FROM visits",
    "75d lateral": "SELECT count(*) FROM people, LATERAL (SELECT 1) t",
    "80c semi join": "SELECT count(*) FROM people p SEMI JOIN visits v USING(person_id)",
    "80d right join": "SELECT count(*) FROM people RIGHT JOIN visits USING(person_id)",
    "80e full join": "SELECT count(*) FROM people FULL OUTER JOIN visits USING(person_id)",
    "80f not exists": "SELECT count(*) FROM people p WHERE NOT EXISTS"
    "(SELECT 1 FROM visits v WHERE v.person_id=p.person_id)",
    "97 sealed column in an aggregate": "SELECT sum(person_id) FROM people",
    "97b sealed column as a key": "SELECT person_id,count(*) FROM people GROUP BY person_id",
    "97c column above the clearance": "SELECT count(*) FROM people WHERE name='Zoltan Q'",
    "97d the same counted": "SELECT count(name) FROM people",
    "97e through a common table": "WITH q AS (SELECT name FROM people) SELECT count(*) FROM q",
}  # fmt: skip

NOISY = {
    "3b the whole": "SELECT sum(income) FROM people",
    "4b the whole": "SELECT count(*) FROM people WHERE sex='F'",
    "27 sliding window": "SELECT sum(cost) FROM visits "
    "WHERE day BETWEEN DATE '2026-01-01' AND DATE '2026-02-01'",
    "15d cost in its own table": "SELECT count(*) FROM visits WHERE cost=812.37",
    "21b rare key with a condition": "SELECT diagnosis, count(*) FROM people "
    "WHERE age=93 GROUP BY diagnosis",
    "25b margin": "SELECT district, count(*) FROM people GROUP BY district",
    "34b empty sum": "SELECT sum(income), count(income), count(DISTINCT person_id) FROM people "
    "WHERE age=93 AND diagnosis='X1'",
    "49d bins": "SELECT width_bucket(age,0,120,12) AS b, count(*) FROM people "
    "WHERE diagnosis='X1' GROUP BY b",
    "61c arithmetic costs the same everywhere": "SELECT sum(CASE WHEN diagnosis='X1' "
    "THEN income*2 ELSE age END) FROM people",
}

LEAKING = {
    "3 exact difference": "SELECT (SELECT sum(income) FROM people) - (SELECT sum(income) "
    "FROM people WHERE NOT(district='D7' AND age=93 AND sex='F'))",
    "27 one day": "SELECT (SELECT sum(cost) FROM visits WHERE day<=DATE '2026-02-01') - "
    "(SELECT sum(cost) FROM visits WHERE day<=DATE '2026-01-31')",
    "34 null as a signal": "SELECT sum(income) FROM people WHERE district='D7' AND diagnosis='X1'",
    "55 an error that quotes the value": "SELECT count(*) FROM people WHERE diagnosis::INT=1 "
    "AND age=93",
    "56 an error as the signal": "SELECT sum(CASE WHEN age=93 AND diagnosis='X1' "
    "THEN error('boo') ELSE 0 END) FROM people",
    "61 memory as the signal": "SELECT count(*) FROM people WHERE length(repeat('a',"
    "CASE WHEN diagnosis='X1' THEN 400000000 ELSE 1 END))>0",
}
"""Asked of plain DuckDB each tells at least two worlds apart: positive controls."""
