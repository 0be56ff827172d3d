SELECT people.district, kind, count(*), avg(cost), count(DISTINCT person_id)
FROM people JOIN visits USING (person_id)
WHERE people.age > 17 AND visits.income IS NOT NULL AND visits.district <> 'D1' GROUP BY 1, 2
---
SELECT "people"."__c_district", "visits"."__c_kind", count(*), count(DISTINCT "people"."__unit"), count("visits"."cost"), coalesce(sum("visits"."__k_cost"), 0) - ? * count("visits"."cost") FROM "people" JOIN "visits" USING ("person_id") WHERE "people"."__rank" <= ? AND "visits"."__rank" <= ? AND ((NOT ("visits"."income" IS NULL)) AND ("people"."age" >= CAST(? AS BIGINT)) AND ("visits"."__c_district" <> ?)) GROUP BY 1, 2
[250, 1, 3, 18, 0]
