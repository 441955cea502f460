-- Below which number each plan's runs have no parts in the bucket that a rebuild can't need
-- (docs/decisions/0019): a pass looks only at what was closed since.
CREATE TABLE swept_runs (
    tenant_id uuid NOT NULL,
    plan_id   uuid NOT NULL,
    number    integer NOT NULL,
    PRIMARY KEY (tenant_id, plan_id)
);

GRANT SELECT, INSERT, UPDATE ON swept_runs TO coffre_retention;
