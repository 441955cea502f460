-- How long each tenant keeps superseded versions, and when an ended one is due for destruction.

CREATE TABLE tenants (
    tenant_id      uuid PRIMARY KEY,
    version        bigint NOT NULL,
    retention_days integer NOT NULL
);

-- One row per tenant whose subscription was ever ended or reinstated; the newest word counts.
CREATE TABLE destructions (
    tenant_id uuid PRIMARY KEY,
    version   bigint NOT NULL,
    state     text NOT NULL CHECK (state IN ('scheduled', 'cancelled')),
    ended_at  timestamptz,
    due_at    timestamptz,
    reason    text NOT NULL,
    CONSTRAINT scheduled_has_dates
        CHECK (state <> 'scheduled' OR (ended_at IS NOT NULL AND due_at IS NOT NULL)),
    CONSTRAINT never_earlier CHECK (due_at >= ended_at + interval '720 hours')
);

CREATE INDEX destructions_due ON destructions (due_at) WHERE state = 'scheduled';

GRANT SELECT, INSERT, UPDATE ON tenants, destructions TO coffre_retention;
