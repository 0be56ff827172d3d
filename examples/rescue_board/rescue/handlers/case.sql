-- handler: case
-- version: 1
-- description: What is known of the request of one household
-- contract: requests
-- subject: household
-- arguments: {household: string}
-- returns: code
-- codes: [DANGER_MANY, DANGER_FEW, WAITING, RESCUED, UNKNOWN]
-- absent: UNKNOWN
-- level: internal
-- purposes: ["dpv:EmergencyServices"]
-- subjects_per_day: 1000
SELECT CASE
  WHEN rescued THEN 'RESCUED'
  WHEN urgent AND people > 5 THEN 'DANGER_MANY'
  WHEN urgent THEN 'DANGER_FEW'
  ELSE 'WAITING'
END
FROM requests
WHERE household = $household
