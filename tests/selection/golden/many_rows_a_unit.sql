SELECT diagnosis, avg(income) FROM people WHERE district = 'D7' GROUP BY diagnosis
---
SELECT "code", any_value("value"), count(*) FROM (SELECT "__c_diagnosis" AS "code", any_value("diagnosis") AS "value" FROM "people" WHERE "__c_diagnosis" IS NOT NULL AND "__rank" <= ? AND ("__c_district" = ?) GROUP BY "__unit", "__c_diagnosis" QUALIFY row_number() OVER (PARTITION BY "__unit" ORDER BY min("__rank")) <= ?) GROUP BY "code"
[30, 3, 16]
---
SELECT "__c_diagnosis", count("income"), coalesce(sum("__k_income"), 0) - ? * count("income") FROM "people" WHERE ("__c_diagnosis" IS NULL OR "__c_diagnosis" IN (?, ?)) AND "__rank" <= ? AND ("__c_district" = ?) GROUP BY 1
[100000, 2, 4, 30, 3]
