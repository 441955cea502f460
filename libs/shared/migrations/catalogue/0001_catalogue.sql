-- The catalogue: what is stored and where. Ingest writes it, the portal reads it under
-- row-level security, retention expires it. Every key begins with the tenant.

CREATE TABLE catalogue.plans (
    tenant_id  uuid NOT NULL,
    plan_id    uuid NOT NULL,
    agent_id   uuid NOT NULL,
    name       text NOT NULL,
    created_at timestamptz NOT NULL,
    last_run   integer,
    PRIMARY KEY (tenant_id, plan_id)
);

-- Restore points only: a run that failed is known to ingest, never here.
CREATE TABLE catalogue.runs (
    tenant_id       uuid NOT NULL,
    plan_id         uuid NOT NULL,
    number          integer NOT NULL,
    run_id          uuid NOT NULL UNIQUE,
    committed_at    timestamptz NOT NULL,
    files_total     bigint NOT NULL,
    bytes_protected bigint NOT NULL,
    PRIMARY KEY (tenant_id, plan_id, number),
    FOREIGN KEY (tenant_id, plan_id) REFERENCES catalogue.plans
);

-- A folder keeps its row for ever, whether or not a run sees it; the root has parent 0, name ''.
CREATE TABLE catalogue.folders (
    tenant_id uuid NOT NULL,
    folder_id bigint GENERATED ALWAYS AS IDENTITY,
    plan_id   uuid NOT NULL,
    parent_id bigint NOT NULL,
    name      bytea NOT NULL,
    PRIMARY KEY (tenant_id, folder_id),
    UNIQUE (tenant_id, plan_id, parent_id, name)
);

-- Run N sees a version when first_run <= N and (last_run is null or last_run >= N).
CREATE TABLE catalogue.versions (
    tenant_id   uuid NOT NULL,
    plan_id     uuid NOT NULL,
    folder_id   bigint NOT NULL,
    first_run   integer NOT NULL,
    last_run    integer,
    mode        integer NOT NULL,
    kind        "char" NOT NULL CHECK (kind IN ('f', 'd', 'l')),
    mtime_ns    bigint NOT NULL,
    uid         bigint NOT NULL,
    gid         bigint NOT NULL,
    size        bigint NOT NULL CHECK (size >= 0),
    crc32       bigint NOT NULL,
    received_at timestamptz NOT NULL,
    name        bytea NOT NULL,
    target      bytea NOT NULL,
    chunk_ids   bytea NOT NULL,
    PRIMARY KEY (tenant_id, folder_id, name, first_run)
);
-- Chunk ids are hashes: trying to compress them only costs.
ALTER TABLE catalogue.versions ALTER COLUMN chunk_ids SET STORAGE EXTERNAL;
-- A first copy closes no version, and so pays nothing for this.
CREATE INDEX versions_superseded ON catalogue.versions (tenant_id, plan_id, last_run)
    WHERE last_run IS NOT NULL;

-- 'damaged': the object was seen to be broken. It still counts as stored; its chunks count as
-- absent until they are uploaded again. damaged_at outlives a condemnation, so that resurrecting
-- a damaged pack does not make it good.
-- chunks_moved: some of its chunks were given to another pack; whoever remembers that a chunk
-- lies here must look again. Chunks change their pack, or go, only in a transaction that holds
-- the row of the pack they leave, exclusively, and sets this (docs/decisions/0009).
CREATE TABLE catalogue.packs (
    tenant_id    uuid NOT NULL,
    pack_no      bigint GENERATED ALWAYS AS IDENTITY,
    pack_id      bytea NOT NULL CHECK (octet_length(pack_id) = 32),
    object_bytes bigint NOT NULL CHECK (object_bytes > 0),
    chunk_count  integer NOT NULL,
    state        text NOT NULL DEFAULT 'live' CHECK (state IN ('live', 'condemned', 'damaged')),
    stored_at    timestamptz NOT NULL,
    condemned_at timestamptz CHECK ((condemned_at IS NOT NULL) = (state = 'condemned')),
    verified_at  timestamptz NOT NULL,
    damaged_at   timestamptz,
    chunks_moved boolean NOT NULL DEFAULT false,
    PRIMARY KEY (tenant_id, pack_no),
    UNIQUE (tenant_id, pack_id),
    CONSTRAINT damage_has_a_date CHECK (
        CASE state WHEN 'live' THEN damaged_at IS NULL
                   WHEN 'damaged' THEN damaged_at IS NOT NULL ELSE true END)
);
-- Few rows are not live: finding out that there is none must cost nothing.
CREATE INDEX packs_not_live ON catalogue.packs (tenant_id, pack_no) WHERE state <> 'live';
CREATE INDEX packs_verified ON catalogue.packs (tenant_id, verified_at) WHERE state = 'live';

CREATE TABLE catalogue.chunks (
    tenant_id uuid NOT NULL,
    pack_no   bigint NOT NULL,
    crc32     bigint NOT NULL,
    "offset"  integer NOT NULL,
    length    integer NOT NULL,
    size      integer NOT NULL,
    encoding  smallint NOT NULL,
    chunk_id  bytea NOT NULL,
    PRIMARY KEY (tenant_id, chunk_id)
);
-- No foreign key to packs: it would cost one look-up a chunk, and both are written together.
-- The pack before the tenant: a tenant that came after the statistics were made counts as one row,
-- and then any index that begins with the tenant seems as good as the primary key for finding a
-- chunk, and is smaller. Each look-up read all chunks of the tenant (docs/decisions/0018).
CREATE INDEX chunks_of_pack ON catalogue.chunks (pack_no, tenant_id);

-- stored_bytes = sum of object_bytes of live packs; protected_bytes = sum of the current files'
-- sizes. Changed in the transaction that changes the rows behind it.
CREATE TABLE catalogue.volumes (
    tenant_id       uuid PRIMARY KEY,
    stored_bytes    bigint NOT NULL CHECK (stored_bytes >= 0),
    protected_bytes bigint NOT NULL CHECK (protected_bytes >= 0),
    sequence        bigint NOT NULL
);

GRANT USAGE ON SCHEMA catalogue TO coffre_ingest, coffre_portal, coffre_retention;
GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA catalogue TO coffre_ingest;
GRANT SELECT ON ALL TABLES IN SCHEMA catalogue TO coffre_portal;
GRANT SELECT, UPDATE, DELETE ON ALL TABLES IN SCHEMA catalogue TO coffre_retention;

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['plans', 'runs', 'folders', 'versions', 'packs', 'chunks', 'volumes']
    LOOP
        EXECUTE format('ALTER TABLE catalogue.%I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE catalogue.%I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format(
            'CREATE POLICY writers ON catalogue.%I TO coffre_ingest, coffre_retention'
            ' USING (true) WITH CHECK (true)', name);
        -- After a first SET LOCAL the setting is '' and not NULL: both mean nobody.
        EXECUTE format(
            'CREATE POLICY one_tenant ON catalogue.%I FOR SELECT TO coffre_portal'
            ' USING (tenant_id = nullif(current_setting(''coffre.tenant'', true), '''')::uuid)',
            name);
    END LOOP;
END
$$;
