-- What clients dropped before it would expire (docs/decisions/0046).

-- freed_bytes: as the preview said, until retention tells what it was.
CREATE TABLE portal.reductions (
    tenant_id    uuid NOT NULL REFERENCES portal.tenants,
    reduction_id uuid NOT NULL,
    plan_id      uuid NOT NULL,
    plan_name    text NOT NULL,
    what         text NOT NULL CHECK (what IN ('plan', 'folder', 'older')),
    folder       bytea,
    before       timestamptz,
    ordered_by   text NOT NULL,
    ordered_at   timestamptz NOT NULL,
    state        text NOT NULL
        CHECK (state IN ('ordered', 'applied', 'withdrawing', 'withdrawn', 'collected')),
    freed_bytes  bigint NOT NULL,
    undo_until   timestamptz,
    PRIMARY KEY (tenant_id, reduction_id)
);
CREATE INDEX reductions_newest ON portal.reductions (tenant_id, ordered_at DESC);

GRANT SELECT, INSERT, UPDATE ON portal.reductions TO coffre_portal;
