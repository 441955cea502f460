-- Of a tenant that was destroyed nothing is kept (docs/destruction.md), but for where its certificate
-- is sent to, as long as it is tried.
GRANT DELETE ON tenants, plans, runs, mails, recipients, offers, overages TO coffre_reporting;

CREATE TABLE farewells (
    tenant_id  uuid PRIMARY KEY,
    written_at timestamptz -- when the certificate was written, if it was
);
GRANT SELECT, INSERT, UPDATE, DELETE ON farewells TO coffre_reporting;
