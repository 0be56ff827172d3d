SELECT count(DISTINCT person_id) FROM people
WHERE (district IN ('D1', 'D9') OR diagnosis <> 'flu') AND NOT (height BETWEEN 1.5 AND 1.8)
  AND name LIKE 'Zol%' AND income IS NOT NULL
---
SELECT count(DISTINCT "__unit") FROM "people" WHERE "__rank" <= ? AND ((("__c_diagnosis" <> ?) OR ("__c_district" IN (?, ?))) AND (("height" < CAST(? AS DOUBLE)) OR ("height" > CAST(? AS DOUBLE))) AND (NOT ("income" IS NULL)) AND starts_with("name", ?))
[1, 0, 0, -1, 1.5, 1.8, 'Zol']
