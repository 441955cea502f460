-- What reporting says of a run beside those before.
CREATE TABLE portal.judgements (
    tenant_id uuid NOT NULL,
    run_id    uuid NOT NULL,
    verdicts  jsonb NOT NULL,
    figures   jsonb NOT NULL,
    judged_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, run_id)
);

-- Up to which run of a plan what was unusual was meant, and when an operator said so.
CREATE TABLE portal.clears (
    tenant_id  uuid NOT NULL,
    plan_id    uuid NOT NULL,
    through    integer NOT NULL,
    cleared_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, plan_id, through)
);

GRANT SELECT, INSERT, UPDATE, DELETE ON portal.judgements, portal.clears TO coffre_portal;
