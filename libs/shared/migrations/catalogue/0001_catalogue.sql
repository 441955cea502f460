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

CREATE TABLE catalogue.packs (
    tenant_id    uuid NOT NULL,
    pack_no      bigint GENERATED ALWAYS AS IDENTITY,
    pack_id      bytea NOT NULL CHECK (octet_length(pack_id) = 32),
    object_bytes bigint NOT NULL CHECK (object_bytes > 0),
    chunk_count  integer NOT NULL,
    state        text NOT NULL DEFAULT 'live' CHECK (state IN ('live', 'condemned')),
    stored_at    timestamptz NOT NULL,
    condemned_at timestamptz CHECK ((condemned_at IS NOT NULL) = (state = 'condemned')),
    verified_at  timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, pack_no),
    UNIQUE (tenant_id, pack_id)
);
-- Few rows are condemned: finding out that there is none must cost nothing.
CREATE INDEX packs_condemned ON catalogue.packs (tenant_id, pack_no) WHERE state = 'condemned';

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
CREATE INDEX chunks_of_pack ON catalogue.chunks (tenant_id, pack_no);

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
