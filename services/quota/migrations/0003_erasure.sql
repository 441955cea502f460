-- Of a tenant that was destroyed nothing is kept (docs/destruction.md).
GRANT DELETE ON allowances, decisions, cases, days, plans TO coffre_quota;
