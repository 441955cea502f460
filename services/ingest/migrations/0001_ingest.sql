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
    revoked_at    timestamptz,
    -- Known from the bucket alone: nobody has its token, and the next machine of its name that
    -- enrols goes on as this agent.
    vacant_since  timestamptz
);

-- listed_entries: the size of the plan's last whole list in the bucket; unlisted_*: what its runs
-- brought since (docs/decisions/0013).
CREATE TABLE ingest.plans (
    plan_id          uuid PRIMARY KEY,
    tenant_id        uuid NOT NULL,
    agent_id         uuid NOT NULL REFERENCES ingest.agents,
    name             text NOT NULL,
    version          integer NOT NULL,
    declaration      jsonb NOT NULL,
    last_number      integer NOT NULL DEFAULT 0,
    listed_entries   bigint NOT NULL DEFAULT 0,
    unlisted_entries bigint NOT NULL DEFAULT 0,
    unlisted_runs    integer NOT NULL DEFAULT 0,
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
    -- A commit was tried, so a head may lie in the bucket; head_key: the head that became the
    -- restore point; end_written: the bucket was told how the run ended.
    tried_at    timestamptz,
    head_key    text,
    end_written boolean NOT NULL DEFAULT false,
    UNIQUE (agent_id, run_key),
    UNIQUE (plan_id, number)
);
CREATE UNIQUE INDEX runs_open ON ingest.runs (plan_id) WHERE state = 'open';
CREATE INDEX runs_without_end ON ingest.runs (finished_at)
    WHERE tried_at IS NOT NULL AND finished_at IS NOT NULL AND NOT end_written;

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

-- Files that a script put into an open run, each whole, with the folders above them; gone with
-- the run's end. Its commit makes batches of them, as agents send.
CREATE TABLE ingest.run_files (
    run_id      uuid NOT NULL REFERENCES ingest.runs,
    path_sha256 bytea NOT NULL,
    -- New with each time that a path is put: tells a commit whether it saw all of them.
    put_no      bigint GENERATED ALWAYS AS IDENTITY,
    kind        text NOT NULL CHECK (kind IN ('f', 'd')),
    folder      bytea NOT NULL,
    name        bytea NOT NULL,
    mode        integer NOT NULL,
    mtime_ns    bigint NOT NULL,
    size        bigint NOT NULL,
    chunk_ids   bytea NOT NULL,
    -- The whole path is too long for a key.
    PRIMARY KEY (run_id, path_sha256)
);
ALTER TABLE ingest.run_files ALTER COLUMN chunk_ids SET STORAGE EXTERNAL;

-- Folders into which committed runs brought entries, whose names can't be searched for yet.
-- A row goes in the transaction that makes its names findable.
CREATE TABLE ingest.names_due (
    due_id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id  uuid NOT NULL,
    plan_id    uuid NOT NULL,
    -- Null: whatever run brought them.
    run_number integer,
    folder_ids bigint[] NOT NULL
);
CREATE INDEX names_due_of_plan ON ingest.names_due (tenant_id, plan_id);

-- Tenants that were rebuilt from the bucket, or are being so.
CREATE TABLE ingest.rebuilds (
    tenant_id   uuid PRIMARY KEY,
    started_at  timestamptz NOT NULL,
    finished_at timestamptz
);

GRANT SELECT, INSERT, UPDATE ON
    ingest.tenants, ingest.allowances, ingest.enrolments, ingest.agents, ingest.plans, ingest.runs
    TO coffre_ingest;
GRANT SELECT, INSERT, UPDATE, DELETE ON ingest.run_batches TO coffre_ingest;
GRANT SELECT, INSERT, UPDATE, DELETE ON ingest.run_files TO coffre_ingest;
GRANT SELECT, INSERT, UPDATE, DELETE ON ingest.names_due TO coffre_ingest;
GRANT SELECT, INSERT, UPDATE ON ingest.rebuilds TO coffre_ingest;
