-- The hotline's incidents of all causes, what each is about, and webhooks beside the mails.

ALTER TABLE incidents ALTER COLUMN plan_id DROP NOT NULL; -- NULL: no plan is concerned
ALTER TABLE incidents ADD COLUMN version integer NOT NULL DEFAULT 1;
DROP INDEX incidents_open;
CREATE UNIQUE INDEX incidents_open ON incidents (tenant_id, plan_id, cause) NULLS NOT DISTINCT
    WHERE closed_at IS NULL;

-- One row for each thing that an incident is about (a pack, an address, an event, a case).
-- The newer word counts; what was settled before it was heard of has no incident.
CREATE TABLE matters (
    tenant_id   uuid NOT NULL,
    cause       text NOT NULL,
    matter      text NOT NULL,
    plan_id     uuid,
    incident_id uuid,
    sequence    bigint NOT NULL,    -- the newer wins: a version, or microseconds
    settled_at  timestamptz,
    CONSTRAINT matters_once UNIQUE NULLS NOT DISTINCT (cause, matter, tenant_id, plan_id)
);
CREATE INDEX matters_of_incident ON matters (tenant_id, incident_id) WHERE settled_at IS NULL;
CREATE INDEX matters_settled ON matters (settled_at) WHERE settled_at IS NOT NULL;

-- What is said to webhooks: kept until it is, or given up. The URL is a secret: only its digest.
CREATE TABLE webhook_calls (
    call_id     uuid PRIMARY KEY,
    tenant_id   uuid NOT NULL,
    webhook     text NOT NULL,
    title       text NOT NULL,
    body        text NOT NULL,
    is_over     boolean NOT NULL,   -- tells of an end
    created_at  timestamptz NOT NULL,
    due_at      timestamptz NOT NULL,
    give_up_at  timestamptz NOT NULL,
    tries       integer NOT NULL DEFAULT 0,
    last_error  text NOT NULL DEFAULT ''
);
CREATE INDEX webhook_calls_due ON webhook_calls (webhook, due_at);
CREATE INDEX webhook_calls_of_tenant ON webhook_calls (tenant_id);

-- The newest pause of a plan that was heard of.
CREATE TABLE pauses (
    tenant_id uuid NOT NULL,
    plan_id   uuid NOT NULL,
    version   integer NOT NULL,
    PRIMARY KEY (tenant_id, plan_id)
);

GRANT SELECT, INSERT, UPDATE, DELETE ON matters, webhook_calls, pauses TO coffre_reporting;

-- A plan whose rhythm can't be read is missed as well, after a week of silence.
UPDATE expected SET due_at = 'epoch' WHERE due_at IS NULL;
