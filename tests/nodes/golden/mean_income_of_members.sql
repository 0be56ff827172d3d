SELECT sex, avg(income) FROM people WHERE member AND age > 17 GROUP BY sex
---
SELECT "__c_sex", count(CASE WHEN "income" IS NOT NULL THEN 1 END), coalesce(sum(CAST(CASE WHEN "income" < ? THEN ? WHEN "income" > ? THEN ? ELSE "income" END AS BIGINT) - ?), 0) FROM "people" WHERE "__rank" <= ? AND (("age" >= CAST(? AS BIGINT)) AND ("member" = ?)) GROUP BY 1
[0, 0, 200000, 200000, 100000, 1, 18, True]
