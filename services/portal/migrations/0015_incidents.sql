-- The hotline's incidents as reporting tells of them, runs that never came, requests for help, pauses.

-- rank: the worse first, as rules/incidents says.
CREATE TABLE portal.incidents (
    incident_id     uuid PRIMARY KEY,
    tenant_id       uuid NOT NULL,      -- all zeros: no client's
    version         integer NOT NULL,
    plan_id         uuid,
    cause           text NOT NULL,
    rank            smallint NOT NULL,
    opened_at       timestamptz NOT NULL,
    last_at         timestamptz NOT NULL,
    times           integer NOT NULL,
    escalated_at    timestamptz,
    acknowledged_by text NOT NULL,
    snoozed_until   timestamptz,
    note            text NOT NULL,
    closed_at       timestamptz,
    closed_by       text NOT NULL
);
CREATE INDEX incidents_worst ON portal.incidents (rank, opened_at, incident_id)
    WHERE closed_at IS NULL;
CREATE INDEX incidents_newest ON portal.incidents (closed_at DESC, incident_id)
    WHERE closed_at IS NOT NULL;
CREATE INDEX incidents_of_tenant ON portal.incidents (tenant_id, closed_at DESC);

CREATE TABLE portal.misses (
    tenant_id uuid NOT NULL,
    plan_id   uuid NOT NULL,
    missed_at timestamptz NOT NULL,
    since     timestamptz NOT NULL,
    times     integer NOT NULL,
    PRIMARY KEY (tenant_id, plan_id, missed_at)
);

CREATE TABLE portal.help_requests (
    tenant_id uuid NOT NULL REFERENCES portal.tenants,
    help_id   uuid NOT NULL,
    run_id    uuid NOT NULL,
    asked_by  text NOT NULL,
    asked_at  timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, help_id)
);
CREATE INDEX help_requests_newest ON portal.help_requests (tenant_id, asked_at);

CREATE TABLE portal.pauses (
    tenant_id uuid NOT NULL REFERENCES portal.tenants,
    plan_id   uuid NOT NULL,
    version   integer NOT NULL,
    until     timestamptz NOT NULL,
    reason    text NOT NULL,
    paused_by text NOT NULL,
    paused_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, plan_id)
);

GRANT SELECT, INSERT, UPDATE, DELETE
    ON portal.incidents, portal.misses, portal.help_requests, portal.pauses TO coffre_portal;
