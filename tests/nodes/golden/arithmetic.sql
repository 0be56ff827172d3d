SELECT sum(income - 12 * age) AS a, sum(height * 100) AS b FROM people
---
SELECT coalesce(sum(CAST(round((CAST(? AS DOUBLE) * "height") / ?) AS BIGINT)), 0), coalesce(sum(("__k_income" - (CAST(? AS BIGINT) * "age"))), 0) FROM "people" WHERE "__rank" <= ?
[100, 0.01, 12, 1]
