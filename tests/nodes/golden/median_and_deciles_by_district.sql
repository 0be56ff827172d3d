SELECT district, median(income), quantile_cont(income, 0.9), quantile_disc(height * 2, 0.25), count(*)
FROM people WHERE age >= 18 GROUP BY district
---
SELECT list_position([?, ?, ?, ?], "district") - 1, count(*) FROM "people" WHERE "__rank" <= ? AND ("age" >= CAST(? AS BIGINT)) GROUP BY "district"
['D1', 'D2', 'D3', 'D7', 1, 18]
SELECT "key_0", (CAST(least(?, greatest(?, round("value" / ?))) AS BIGINT) - ?) // ?, count(*) FROM (SELECT "__c_district" AS "key_0", (CAST(? AS DOUBLE) * "height") AS "value" FROM "people" WHERE "__rank" <= ? AND ("age" >= CAST(? AS BIGINT))) WHERE "value" IS NOT NULL GROUP BY "key_0", 2
[500, 80, 0.01, 80, 1, 2, 1, 18]
SELECT "key_0", (CAST(least(?, greatest(?, "value")) AS BIGINT) - ?) // ?, count(*) FROM (SELECT "__c_district" AS "key_0", "__k_income" AS "value" FROM "people" WHERE "__rank" <= ? AND ("age" >= CAST(? AS BIGINT))) WHERE "value" IS NOT NULL GROUP BY "key_0", 2
[200000, 0, 0, 92, 1, 18]
