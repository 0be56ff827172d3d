-- handler: enter
-- version: 1
-- description: Before whom the case comes
-- contract: docket
-- subject: suspect
-- arguments:
--   suspect: {type: string, from: [police.complete.suspect]}
--   counts: {type: integer, from: [prosecution.indict.counts]}
-- returns: code
-- codes: [SINGLE_JUDGE, CHAMBER, NOT_COMPETENT]
-- absent: NOT_COMPETENT
-- procedures: [hand_over]
-- level: restricted
-- purposes: ["dpv:LegalCompliance"]
-- subjects_per_day: 200
SELECT CASE WHEN $counts + pending > 2 THEN 'CHAMBER' ELSE 'SINGLE_JUDGE' END
FROM docket
WHERE suspect = $suspect
