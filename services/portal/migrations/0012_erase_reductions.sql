-- Of a tenant that was destroyed no reduction is kept either (docs/destruction.md).
GRANT DELETE ON portal.reductions TO coffre_portal;
