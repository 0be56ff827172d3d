-- handler: residence
-- version: 1
-- description: Whether citizens live here, one or many at once
-- contract: residents
-- subject: citizen_id
-- arguments: {citizen_id: string}
-- returns: code
-- codes: [RESIDENT, ELSEWHERE, UNKNOWN]
-- absent: UNKNOWN
-- level: restricted
-- purposes: ["dpv:ServiceProvision"]
-- subjects_per_day: 50
SELECT CASE WHEN resident = 1 THEN 'RESIDENT' ELSE 'ELSEWHERE' END
FROM residents
WHERE citizen_id = $citizen_id
