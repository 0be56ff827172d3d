SELECT date_trunc('month', moved) AS m, width_bucket(age, 0, 100, 10) AS b,
  sum(CASE WHEN sex = 'F' AND age > 17 THEN income ELSE 0 END), avg(CASE WHEN member THEN income END)
FROM people GROUP BY m, b
---
SELECT CASE WHEN "moved" IS NULL THEN NULL ELSE date_diff('month', CAST(? AS DATE), greatest(CAST(? AS DATE), least(CAST(? AS DATE), CAST("moved" AS DATE)))) END, CASE WHEN "age" IS NULL THEN NULL WHEN "age" < ? THEN 0 WHEN "age" >= ? THEN ? ELSE CAST(least(?, greatest(1.0, 1.0 + floor((CAST("age" AS DOUBLE) - ?) / ?))) AS INTEGER) END, count(CASE WHEN CASE WHEN ("member" = ?) THEN "income" IS NOT NULL ELSE FALSE END THEN 1 END), coalesce(sum(CASE WHEN (("age" >= CAST(? AS BIGINT)) AND ("__c_sex" = ?)) THEN "__k_income" ELSE CAST(? AS BIGINT) END), 0), coalesce(sum(CASE WHEN ("member" = ?) THEN "__k_income" END), 0) - ? * count(CASE WHEN CASE WHEN ("member" = ?) THEN "income" IS NOT NULL ELSE FALSE END THEN 1 END) FROM "people" WHERE "__rank" <= ? GROUP BY 1, 2
['2024-03-01', '2024-03-15', '2025-05-20', 0.0, 100.0, 11, 10.0, 0.0, 10.0, True, 18, 0, 0, True, 100000, True, 1]
