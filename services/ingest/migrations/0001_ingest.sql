-- What the portal and quota say of a tenant; order is never assumed, the newer version wins.
CREATE TABLE ingest.tenants (
    tenant_id           uuid PRIMARY KEY,
    version             integer NOT NULL,
    subscription        text NOT NULL,
    subscription_reason text NOT NULL
);

-- ceiling_bytes is null while the tenant may grow.
CREATE TABLE ingest.allowances (
    tenant_id     uuid PRIMARY KEY,
    version       integer NOT NULL,
    ceiling_bytes bigint,
    reason        text NOT NULL
);

CREATE TABLE ingest.enrolments (
    enrolment_id uuid PRIMARY KEY,
    tenant_id    uuid NOT NULL,
    code_sha256  text NOT NULL UNIQUE,
    label        text NOT NULL,
    expires_at   timestamptz NOT NULL,
    used_at      timestamptz
);

CREATE TABLE ingest.agents (
    agent_id      uuid PRIMARY KEY,
    tenant_id     uuid NOT NULL,
    token_sha256  bytea NOT NULL UNIQUE,
    hostname      text NOT NULL,
    platform      text NOT NULL,
    agent_version text NOT NULL,
    enrolled_at   timestamptz NOT NULL,
    revoked_at    timestamptz
);

CREATE TABLE ingest.plans (
    plan_id     uuid PRIMARY KEY,
    tenant_id   uuid NOT NULL,
    agent_id    uuid NOT NULL REFERENCES ingest.agents,
    name        text NOT NULL,
    version     integer NOT NULL,
    declaration jsonb NOT NULL,
    last_number integer NOT NULL DEFAULT 0,
    UNIQUE (agent_id, name)
);

CREATE TABLE ingest.runs (
    run_id      uuid PRIMARY KEY,
    tenant_id   uuid NOT NULL,
    plan_id     uuid NOT NULL REFERENCES ingest.plans,
    agent_id    uuid NOT NULL,
    run_key     uuid NOT NULL,
    number      integer NOT NULL,
    parent      integer,
    state       text NOT NULL CHECK (state IN ('open', 'committed', 'failed')),
    started_at  timestamptz NOT NULL,
    lease_until timestamptz NOT NULL,
    finished_at timestamptz CHECK ((finished_at IS NULL) = (state = 'open')),
    outcome     text,
    -- {code, subject, amount, limit, detail}: why it failed, or why it is no copy of an agent's.
    reason      jsonb,
    answer      jsonb,
    UNIQUE (agent_id, run_key),
    UNIQUE (plan_id, number)
);
CREATE UNIQUE INDEX runs_open ON ingest.runs (plan_id) WHERE state = 'open';

-- The delta of an open run as it was received; gone with the run's end.
CREATE TABLE ingest.run_batches (
    run_id     uuid NOT NULL REFERENCES ingest.runs,
    batch      integer NOT NULL,
    entries    integer NOT NULL,
    object_key text NOT NULL,
    sha256     bytea NOT NULL,
    -- CRC-32 of each upsert in the batch's order, unsigned, big-endian.
    crc32s     bytea NOT NULL,
    -- The packs that hold the batch's chunks.
    pack_nos   bigint[] NOT NULL,
    body       bytea NOT NULL,
    PRIMARY KEY (run_id, batch)
);
ALTER TABLE ingest.run_batches ALTER COLUMN body SET STORAGE EXTERNAL;

GRANT SELECT, INSERT, UPDATE ON
    ingest.tenants, ingest.allowances, ingest.enrolments, ingest.agents, ingest.plans, ingest.runs
    TO coffre_ingest;
GRANT SELECT, INSERT, UPDATE, DELETE ON ingest.run_batches TO coffre_ingest;
