-- One row per tenant: its contract, its volume, an operator's block, and the allowance they give.
-- Contract and volume come in any order; each newer one replaces the older.

CREATE TABLE allowances (
    tenant_id        uuid PRIMARY KEY,
    tenant_version   bigint NOT NULL DEFAULT -1,
    contracted_bytes bigint,
    volume_sequence  bigint NOT NULL DEFAULT -1,
    stored_bytes     bigint NOT NULL DEFAULT 0,
    protected_bytes  bigint NOT NULL DEFAULT 0,
    block_reason     text,
    block_at_bytes   bigint,
    version          bigint NOT NULL DEFAULT 0,
    ceiling_bytes    bigint,
    blocked          boolean NOT NULL DEFAULT false,
    reason           text NOT NULL DEFAULT '',
    CONSTRAINT block_whole CHECK ((block_reason IS NULL) = (block_at_bytes IS NULL))
);

-- Who blocked or unblocked whom, when and why.
CREATE TABLE decisions (
    decision_id uuid PRIMARY KEY,
    tenant_id   uuid NOT NULL,
    decided_at  timestamptz NOT NULL,
    decision    text NOT NULL CHECK (decision IN ('block', 'unblock')),
    reason      text NOT NULL
);

CREATE INDEX decisions_by_tenant ON decisions (tenant_id, decided_at);

GRANT SELECT, INSERT, UPDATE ON allowances TO coffre_quota;
GRANT SELECT, INSERT ON decisions TO coffre_quota;
