-- What proves restore points (docs/decisions/0037): their seals, and digests of folders. Both are
-- under keys that the database never has.

-- Null: of a restore point that was never sealed, or did not come back as it was.
ALTER TABLE catalogue.runs ADD COLUMN sealed bytea;

-- What a folder came to at a run and until the next row's; hidden, so that nobody learns sums.
CREATE TABLE catalogue.folder_digests (
    tenant_id uuid NOT NULL,
    folder_id bigint NOT NULL,
    first_run integer NOT NULL,
    digest    bytea NOT NULL,
    PRIMARY KEY (tenant_id, folder_id, first_run)
);

GRANT SELECT, INSERT, DELETE ON catalogue.folder_digests TO coffre_ingest;
GRANT SELECT ON catalogue.folder_digests TO coffre_portal;
GRANT SELECT, DELETE ON catalogue.folder_digests TO coffre_retention;

ALTER TABLE catalogue.folder_digests ENABLE ROW LEVEL SECURITY;
ALTER TABLE catalogue.folder_digests FORCE ROW LEVEL SECURITY;
CREATE POLICY writers ON catalogue.folder_digests TO coffre_ingest, coffre_retention
    USING (true) WITH CHECK (true);
CREATE POLICY one_tenant ON catalogue.folder_digests FOR SELECT TO coffre_portal
    USING (tenant_id = nullif(current_setting('coffre.tenant', true), '')::uuid);
