SELECT district, count(*) FROM people GROUP BY district
---
SELECT list_position([?, ?, ?, ?], "district") - 1, count(*) FROM "people" WHERE "__rank" <= ? GROUP BY "district"
['D1', 'D2', 'D3', 'D7', 1]
