-- handler: safe
-- version: 1
-- description: Whether premises have the exits and extinguishers that a restaurant needs
-- contract: premises
-- subject: premises
-- arguments: {premises: {type: string, from: [market.registered.premises]}}
-- returns: verdict
-- reasons: [NOT_INSPECTED, TOO_FEW_EXITS, TOO_FEW_EXTINGUISHERS]
-- absent: NOT_INSPECTED
-- procedures: [open_restaurant]
-- level: restricted
-- purposes: ["dpv:ServiceProvision"]
-- subjects_per_day: 500
SELECT
  exits >= 2 AND extinguishers >= 3,
  concat_ws(' ',
    CASE WHEN exits < 2 THEN 'TOO_FEW_EXITS' END,
    CASE WHEN extinguishers < 3 THEN 'TOO_FEW_EXTINGUISHERS' END)
FROM premises
WHERE premises = $premises
