-- What the hotline is told of a plan: one row a cause while it lasts.

CREATE TABLE incidents (
    tenant_id       uuid NOT NULL,
    incident_id     uuid NOT NULL,
    plan_id         uuid NOT NULL,
    cause           text NOT NULL,      -- as services/reporting/rules/incidents names it
    opened_at       timestamptz NOT NULL,
    last_at         timestamptz NOT NULL,
    last_run        integer NOT NULL,   -- the number of the newest run that belongs to it
    times           integer NOT NULL,
    escalated_at    timestamptz,
    acknowledged_by text,
    snoozed_until   timestamptz,
    note            text NOT NULL DEFAULT '',
    closed_at       timestamptz,
    closed_by       text,               -- a person; NULL: the next good run
    PRIMARY KEY (tenant_id, incident_id)
);

CREATE UNIQUE INDEX incidents_open ON incidents (tenant_id, plan_id, cause) WHERE closed_at IS NULL;
CREATE INDEX incidents_oldest ON incidents (opened_at) WHERE closed_at IS NULL;

GRANT SELECT, INSERT, UPDATE ON incidents TO coffre_reporting;
