-- handler: complete
-- version: 1
-- description: Whether a file is complete enough to be handed over
-- contract: files
-- subject: file_id
-- arguments: {file_id: string}
-- returns: verdict
-- reasons: [NO_FILE, TOO_FEW_STATEMENTS]
-- absent: NO_FILE
-- passes:
--   suspect: {type: string, to: [prosecution, court]}
--   offence: {type: string, to: [prosecution]}
-- procedures: [hand_over]
-- level: restricted
-- purposes: ["dpv:LegalCompliance"]
-- subjects_per_day: 200
SELECT statements >= 2, CASE WHEN statements < 2 THEN 'TOO_FEW_STATEMENTS' ELSE '' END,
  suspect, offence
FROM files
WHERE file_id = $file_id
