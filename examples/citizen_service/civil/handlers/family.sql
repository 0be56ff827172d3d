-- handler: family
-- version: 1
-- description: Whether a citizen lives here with children
-- contract: residents
-- subject: citizen_id
-- arguments: {citizen_id: string}
-- returns: verdict
-- reasons: [UNKNOWN_CITIZEN, NOT_RESIDENT, NO_CHILDREN]
-- absent: UNKNOWN_CITIZEN
-- passes:
--   citizen: {type: string, to: [social]}
--   children: {type: integer, to: [social]}
-- procedures: [child_benefit]
-- level: restricted
-- purposes: ["dpv:ServiceProvision"]
-- subjects_per_day: 500
-- calls_per_subject_per_day: 20
SELECT resident = 1 AND children > 0,
  concat_ws(' ',
    CASE WHEN resident = 0 THEN 'NOT_RESIDENT' END,
    CASE WHEN children = 0 THEN 'NO_CHILDREN' END),
  citizen_id, children
FROM residents
WHERE citizen_id = $citizen_id
