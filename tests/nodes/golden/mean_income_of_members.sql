SELECT sex, avg(income) FROM people WHERE member AND age > 17 GROUP BY sex
---
SELECT list_position([?, ?], "sex") - 1, count("income"), coalesce(sum("__k_income"), 0) - ? * count("income") FROM "people" WHERE "__rank" <= ? AND (("age" >= CAST(? AS BIGINT)) AND ("member" = ?)) GROUP BY "sex"
['F', 'M', 100000, 1, 18, True]
