-- What clients asked to drop before it expires (docs/decisions/0046).

-- counted: the volume, and who was told of it, know of the state. purged: what of it needs no
-- proof any more has gone from the catalogue.
CREATE TABLE reductions (
    tenant_id    uuid NOT NULL,
    reduction_id uuid NOT NULL,
    plan_id      uuid NOT NULL,
    what         text NOT NULL CHECK (what IN ('plan', 'folder', 'older')),
    folder       bytea,
    before       timestamptz,
    ordered_by   text NOT NULL,
    ordered_at   timestamptz NOT NULL,
    state        text NOT NULL CHECK (state IN ('ordered', 'applied', 'withdrawn', 'collected')),
    counted      boolean NOT NULL DEFAULT false,
    purged       boolean NOT NULL DEFAULT false,
    undo_until   timestamptz,
    PRIMARY KEY (tenant_id, reduction_id),
    CHECK ((what = 'folder') = (folder IS NOT NULL)),
    CHECK ((what = 'older') = (before IS NOT NULL)),
    CHECK (state IN ('ordered', 'withdrawn') OR undo_until IS NOT NULL)
);
CREATE INDEX reductions_uncounted ON reductions (ordered_at) WHERE NOT counted;
CREATE INDEX reductions_kept ON reductions (tenant_id, undo_until)
    WHERE state IN ('applied', 'collected') AND NOT purged;

-- Reductions that were taken back, so that it doesn't matter which of the two is heard first.
CREATE TABLE reduction_withdrawals (
    tenant_id    uuid NOT NULL,
    reduction_id uuid NOT NULL,
    PRIMARY KEY (tenant_id, reduction_id)
);

-- The state of a tenant's volume whose fills were counted, and when they may be counted again.
CREATE TABLE fill_counts (
    tenant_id uuid PRIMARY KEY,
    sequence  bigint NOT NULL,
    next_at   timestamptz NOT NULL
);

-- The catalogue has it now.
DROP FUNCTION retention.split_ids(bytea);

GRANT SELECT, INSERT, UPDATE ON reductions TO coffre_retention;
GRANT SELECT, INSERT, UPDATE ON fill_counts TO coffre_retention;
GRANT SELECT, INSERT ON reduction_withdrawals TO coffre_retention;
