SELECT diagnosis, sex, width_bucket(age, 0, 100, 4) AS b, count(DISTINCT person_id) FROM people GROUP BY diagnosis, sex, b
---
SELECT "__c_diagnosis", any_value("diagnosis"), count(DISTINCT "__unit") FROM "people" WHERE "__c_diagnosis" IS NOT NULL AND "__rank" <= ? GROUP BY "__c_diagnosis"
[3]
---
SELECT "__c_diagnosis", "__c_sex", CASE WHEN "age" IS NULL THEN NULL WHEN "age" < ? THEN 0 WHEN "age" < ? THEN 1 WHEN "age" < ? THEN 2 WHEN "age" < ? THEN 3 WHEN "age" < ? THEN 4 ELSE 5 END, count(DISTINCT "__unit") FROM "people" WHERE ("__c_diagnosis" IS NULL OR "__c_diagnosis" IN (?, ?)) AND "__rank" <= ? GROUP BY 1, 2, 3
[0.0, 25.0, 50.0, 75.0, 100.0, 2, 4, 3]
