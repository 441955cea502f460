-- Of a tenant that was destroyed no incident is kept either (docs/destruction.md).
GRANT DELETE ON incidents TO coffre_reporting;
