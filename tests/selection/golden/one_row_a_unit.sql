SELECT diagnosis, count(*) FROM people WHERE age > 30 GROUP BY diagnosis
---
SELECT "__c_diagnosis", any_value("diagnosis"), count(DISTINCT "__unit") FROM "people" WHERE "__c_diagnosis" IS NOT NULL AND "__rank" <= ? AND ("age" >= CAST(? AS BIGINT)) GROUP BY "__c_diagnosis"
[1, 31]
---
SELECT "__c_diagnosis", count(*) FROM "people" WHERE ("__c_diagnosis" IS NULL OR "__c_diagnosis" IN (?, ?)) AND "__rank" <= ? AND ("age" >= CAST(? AS BIGINT)) GROUP BY 1
[2, 4, 1, 31]
