SELECT district, diagnosis, avg(income) FROM people GROUP BY district, diagnosis
---
SELECT "__c_diagnosis", "__c_district", count("income"), coalesce(sum("__k_income"), 0) - ? * count("income") FROM "people" WHERE "__rank" <= ? GROUP BY "__c_diagnosis", "__c_district"
[100000, 1]
