-- How many restore points a tenant's plans got, counted one by one: the number under which the
-- bucket is told of all of them; written: the highest that it was told (docs/decisions/0037).
CREATE TABLE ingest.tallies (
    tenant_id uuid PRIMARY KEY,
    sequence  bigint NOT NULL,
    written   bigint NOT NULL DEFAULT 0
);

GRANT SELECT, INSERT, UPDATE ON ingest.tallies TO coffre_ingest;
