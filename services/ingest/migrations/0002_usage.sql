-- What each client made ingest write on a day (UTC), to hold it to an allowance
-- (docs/decisions/0028): rows of days that are over are forgotten.
CREATE TABLE ingest.usage (
    tenant_id uuid NOT NULL,
    day       date NOT NULL,
    kind      text NOT NULL,
    amount    bigint NOT NULL,
    PRIMARY KEY (tenant_id, day, kind)
);
GRANT SELECT, INSERT, UPDATE, DELETE ON ingest.usage TO coffre_ingest;

-- How many plans a client has is asked for each new one.
CREATE INDEX plans_of_tenant ON ingest.plans (tenant_id);
