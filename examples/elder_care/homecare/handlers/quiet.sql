-- handler: quiet
-- version: 1
-- description: Whether an elder who lives alone has used neither a door nor water for two days
-- contract: elders
-- subject: elder_id
-- arguments: {elder_id: string}
-- returns: code
-- codes: [QUIET, WELL, UNKNOWN]
-- absent: UNKNOWN
-- level: restricted
-- purposes: ["dpv:ServiceProvision"]
-- subjects_per_day: 10
-- watch: {every: 5s, tells: [QUIET], role: community-worker, purpose: "dpv:ServiceProvision"}
SELECT CASE WHEN door_hours >= 48 AND water_hours >= 48 THEN 'QUIET' ELSE 'WELL' END
FROM elders
WHERE elder_id = $elder_id
