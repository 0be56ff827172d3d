-- handler: arrears
-- version: 1
-- description: Whether a company owes no more than is tolerated
-- contract: accounts
-- subject: company_id
-- arguments: {company_id: string}
-- returns: verdict
-- reasons: [UNKNOWN_TO_TAX, ARREARS]
-- absent: UNKNOWN_TO_TAX
-- procedures: [open_restaurant]
-- level: restricted
-- purposes: ["dpv:ServiceProvision"]
-- subjects_per_day: 500
SELECT owed <= 1000, CASE WHEN owed > 1000 THEN 'ARREARS' ELSE '' END
FROM accounts
WHERE company_id = $company_id
