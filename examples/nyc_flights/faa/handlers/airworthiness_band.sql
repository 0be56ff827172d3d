-- handler: airworthiness_band
-- version: 1
-- description: How old an aircraft is, in bands, for planning inspections
-- contract: planes
-- subject: tailnum
-- arguments: {tailnum: string}
-- codes: [RECENT, MATURE, AGEING, UNDATED, UNREGISTERED]
-- absent: UNREGISTERED
-- level: internal
-- purposes: ["dpv:LegalCompliance"]
-- subjects_per_day: 50
SELECT CASE
    WHEN year IS NULL THEN 'UNDATED'
    WHEN year >= 2006 THEN 'RECENT'
    WHEN year >= 1996 THEN 'MATURE'
    ELSE 'AGEING'
  END
FROM planes
WHERE tailnum = $tailnum
