-- What reporting says of a run beside those before.
CREATE TABLE portal.judgements (
    tenant_id uuid NOT NULL,
    run_id    uuid NOT NULL,
    verdicts  jsonb NOT NULL,
    figures   jsonb NOT NULL,
    judged_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, run_id)
);
GRANT SELECT, INSERT, UPDATE, DELETE ON portal.judgements TO coffre_portal;
