SELECT district, count(*) FROM people GROUP BY district
---
SELECT "__c_district", count(*) FROM "people" WHERE "__rank" <= ? GROUP BY 1
[1]
