-- handler: indict
-- version: 1
-- description: Whether the prosecution brings a charge
-- contract: records
-- subject: suspect
-- arguments:
--   suspect: {type: string, from: [police.complete.suspect]}
--   offence: {type: string, from: [police.complete.offence]}
-- returns: verdict
-- reasons: [NO_RECORD, NO_WITNESSES]
-- absent: NO_RECORD
-- passes: {counts: {type: integer, to: [court]}}
-- procedures: [hand_over]
-- level: restricted
-- purposes: ["dpv:LegalCompliance"]
-- subjects_per_day: 200
SELECT witnesses > 0, CASE WHEN witnesses = 0 THEN 'NO_WITNESSES' ELSE '' END,
  1 + CASE WHEN $offence = 'fraud' THEN earlier ELSE 0 END
FROM records
WHERE suspect = $suspect
