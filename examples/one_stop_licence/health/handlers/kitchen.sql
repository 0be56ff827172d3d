-- handler: kitchen
-- version: 1
-- description: Whether a kitchen passes, by the points of its last inspection
-- contract: kitchens
-- subject: company_id
-- arguments: {company_id: string}
-- returns: verdict
-- reasons: [NOT_INSPECTED, HYGIENE]
-- absent: NOT_INSPECTED
-- procedures: [open_restaurant]
-- level: restricted
-- purposes: ["dpv:ServiceProvision"]
-- subjects_per_day: 500
SELECT score >= 60, CASE WHEN score < 60 THEN 'HYGIENE' ELSE '' END
FROM kitchens
WHERE company_id = $company_id
