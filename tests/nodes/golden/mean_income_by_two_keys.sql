SELECT district, diagnosis, avg(income) FROM people GROUP BY district, diagnosis
---
SELECT "__c_diagnosis", "__c_district", count("income"), coalesce(sum("__k_income"), 0) - ? * count("income") FROM "people" WHERE "__rank" <= ? GROUP BY 1, 2
[100000, 1]
