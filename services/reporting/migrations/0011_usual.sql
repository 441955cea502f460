-- What reporting found of each restore point, beside those before (docs/unusual.md).
CREATE TABLE judgements (
    tenant_id   uuid NOT NULL,
    run_id      uuid NOT NULL,
    plan_id     uuid NOT NULL,
    number      integer NOT NULL,
    is_good     boolean NOT NULL,       -- the run hadn't failed
    figures     text NOT NULL,          -- JSON, as services/reporting/rules/usual/figures has it
    is_unusual  boolean NOT NULL,
    accepted_at timestamptz,            -- when somebody said that it was meant
    PRIMARY KEY (tenant_id, run_id)
);
CREATE INDEX judgements_by_plan ON judgements (tenant_id, plan_id, number);

GRANT SELECT, INSERT, UPDATE, DELETE ON judgements TO coffre_reporting;
