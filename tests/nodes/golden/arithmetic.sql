SELECT sum(income - 12 * age) AS a, sum(height * 100) AS b FROM people
---
SELECT coalesce(sum(CAST(round((CAST(? AS DOUBLE) * CAST(CASE WHEN "height" < ? THEN ? WHEN "height" > ? THEN ? ELSE "height" END AS DOUBLE)) / ?) AS BIGINT)), 0), coalesce(sum((CAST(CASE WHEN "income" < ? THEN ? WHEN "income" > ? THEN ? ELSE "income" END AS BIGINT) - (CAST(? AS BIGINT) * CAST(CASE WHEN "age" < ? THEN ? WHEN "age" > ? THEN ? ELSE "age" END AS BIGINT)))), 0) FROM "people" WHERE "__rank" <= ?
[100, 0.4, 0.4, 2.5, 2.5, 0.01, 0, 0, 200000, 200000, 12, 0, 0, 120, 120, 1]
