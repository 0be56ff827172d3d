-- handler: registered
-- version: 1
-- description: Whether a company is registered and in good standing
-- contract: companies
-- subject: company_id
-- arguments: {company_id: string}
-- returns: verdict
-- reasons: [NOT_REGISTERED, STRUCK_OFF]
-- absent: NOT_REGISTERED
-- passes: {premises: {type: string, to: [fire]}}
-- procedures: [open_restaurant]
-- level: restricted
-- purposes: ["dpv:ServiceProvision"]
-- subjects_per_day: 500
SELECT standing = 'good', CASE WHEN standing = 'good' THEN '' ELSE 'STRUCK_OFF' END, premises
FROM companies
WHERE company_id = $company_id
