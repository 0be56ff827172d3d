-- handler: exposed
-- version: 1
-- description: Whether a district lies below the water that a flood brings
-- contract: districts
-- subject: district
-- arguments: {district: string}
-- returns: verdict
-- reasons: [NO_SUCH_DISTRICT, TOO_HIGH]
-- absent: NO_SUCH_DISTRICT
-- procedures: [flood_response]
-- level: open
-- purposes: ["dpv:PublicSafety"]
-- subjects_per_day: 100
SELECT lowest_cm < 500, CASE WHEN lowest_cm < 500 THEN '' ELSE 'TOO_HIGH' END
FROM districts
WHERE district = $district
