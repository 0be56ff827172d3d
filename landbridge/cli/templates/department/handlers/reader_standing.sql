-- handler: reader_standing
-- version: 1
-- description: Whether a reader borrows often, as a word and never as a list of loans
-- contract: loans
-- subject: reader
-- arguments: {reader: string}
-- codes: [OFTEN, SELDOM, UNKNOWN]
-- absent: UNKNOWN
-- level: restricted
-- purposes: ["dpv:ServiceProvision"]
-- subjects_per_day: 20
SELECT CASE WHEN count(*) >= 3 THEN 'OFTEN' ELSE 'SELDOM' END
FROM loans
WHERE reader = $reader
HAVING count(*) > 0
