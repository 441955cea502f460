-- A destruction step by step (docs/decisions/0045).

ALTER TABLE destructions DROP CONSTRAINT destructions_state_check;
ALTER TABLE destructions
    ADD CONSTRAINT destructions_state_check
        CHECK (state IN ('scheduled', 'waiting', 'held', 'running', 'completed', 'cancelled')),
    -- Counts what was said of it, so that readers know what is newer.
    ADD COLUMN told         bigint NOT NULL DEFAULT 0,
    ADD COLUMN reasons      jsonb NOT NULL DEFAULT '[]', -- what it waits for
    ADD COLUMN confirmed_by text,                        -- who confirmed what is unusual
    ADD COLUMN last_sent_at timestamptz;                 -- when a machine last tried to send
DROP INDEX destructions_due;
CREATE INDEX destructions_due ON destructions (due_at)
    WHERE state IN ('scheduled', 'waiting', 'held', 'running');

-- Legal holds, by the portal's word; the newer version wins. until: none is without end.
CREATE TABLE destruction_holds (
    tenant_id  uuid PRIMARY KEY,
    version    bigint NOT NULL,
    held       boolean NOT NULL,
    held_until timestamptz,
    reason     text NOT NULL
);

-- What is done of a destruction that began; nothing is undone from permitted_at on.
CREATE TABLE inventories (
    destruction_id    uuid PRIMARY KEY,
    tenant_id         uuid NOT NULL UNIQUE,
    step              text NOT NULL CHECK (step IN ('inventory', 'asking', 'ledger', 'keys',
        'objects', 'looking', 'rows', 'certificate', 'done')),
    begun_at          timestamptz NOT NULL,
    marker_key        text NOT NULL DEFAULT '',     -- up to where the bucket was listed
    marker_version    text NOT NULL DEFAULT '',
    objects           bigint NOT NULL DEFAULT 0,
    size_bytes        bigint NOT NULL DEFAULT 0,
    objects_left      bigint,
    merkle_root       bytea,
    asked_at          timestamptz,
    permitted_at      timestamptz,
    client            text NOT NULL DEFAULT '',
    locale            text NOT NULL DEFAULT 'fr',
    reason            text NOT NULL DEFAULT '',
    keys_destroyed_at timestamptz,
    tried_at          timestamptz,                  -- when something locked was last tried
    first_empty_at    timestamptz,
    second_empty_at   timestamptz,
    rows_asked_at     timestamptz,
    completed_at      timestamptz,
    certificate       text,
    again             boolean NOT NULL DEFAULT false -- by the ledger, after a restored database
);

-- What there was in the bucket; late: what appeared after that was written down.
CREATE TABLE inventory_objects (
    destruction_id uuid NOT NULL,
    key            text COLLATE "C" NOT NULL,
    version_id     text COLLATE "C" NOT NULL,
    size_bytes     bigint NOT NULL,
    late           boolean NOT NULL DEFAULT false,
    PRIMARY KEY (destruction_id, key, version_id)
);

-- Which service deleted what, and what it keeps on which ground.
CREATE TABLE erased_rows (
    destruction_id uuid NOT NULL,
    service        text NOT NULL,
    rows           jsonb NOT NULL,
    kept           jsonb NOT NULL,
    PRIMARY KEY (destruction_id, service)
);

GRANT SELECT, INSERT, UPDATE ON destruction_holds TO coffre_retention;
GRANT SELECT, INSERT, UPDATE, DELETE ON inventories, inventory_objects, erased_rows
    TO coffre_retention;
GRANT DELETE ON tenants, judged_runs, expiry_holds, marks, swept_runs, destruction_holds
    TO coffre_retention;
