-- handler: dispatch
-- version: 1
-- description: Whether a team with a boat can go to a district
-- contract: teams
-- subject: district
-- arguments: {district: string}
-- returns: verdict
-- reasons: [NO_SUCH_DISTRICT, NO_BOAT, TOO_FEW_PEOPLE]
-- absent: NO_SUCH_DISTRICT
-- procedures: [flood_response]
-- level: open
-- purposes: ["dpv:PublicSafety"]
-- subjects_per_day: 100
SELECT
  boats > 0 AND people >= 4,
  concat_ws(' ',
    CASE WHEN boats = 0 THEN 'NO_BOAT' END,
    CASE WHEN people < 4 THEN 'TOO_FEW_PEOPLE' END)
FROM teams
WHERE district = $district
