-- How long each tenant keeps superseded versions, and when an ended one is due for destruction;
-- what expiry, collection and scrubbing must remember (docs/decisions/0009).

CREATE TABLE tenants (
    tenant_id      uuid PRIMARY KEY,
    version        bigint NOT NULL,
    retention_days integer NOT NULL,
    -- Nothing of a tenant is forgotten unless its subscription is known to be alive.
    subscription   text NOT NULL DEFAULT 'unknown'
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

-- Up to which run each plan's restore points were judged.
CREATE TABLE judged_runs (
    tenant_id uuid NOT NULL,
    plan_id   uuid NOT NULL,
    number    integer NOT NULL,
    PRIMARY KEY (tenant_id, plan_id)
);

-- Unusual runs: while one of a plan's is not cleared, none of its versions expires.
CREATE TABLE expiry_holds (
    tenant_id      uuid NOT NULL,
    plan_id        uuid NOT NULL,
    number         integer NOT NULL,
    why            text NOT NULL,
    held_at        timestamptz NOT NULL,
    cleared_at     timestamptz,
    cleared_reason text,
    PRIMARY KEY (tenant_id, plan_id, number),
    CHECK ((cleared_at IS NULL) = (cleared_reason IS NULL))
);
CREATE INDEX expiry_holds_open ON expiry_holds (tenant_id, plan_id) WHERE cleared_at IS NULL;

-- The last time that was believed; a step from it that is too large stops all deletion.
CREATE TABLE clock (
    one     boolean PRIMARY KEY DEFAULT true CHECK (one),
    seen_at timestamptz NOT NULL
);

-- Who said that a step of the clock is right, and why.
CREATE TABLE clock_acceptances (
    accepted_at timestamptz NOT NULL,
    seen_at     timestamptz,
    reason      text NOT NULL
);

-- The number of a tenant's newest mark: what an older one found may not be acted on.
CREATE TABLE marks (
    tenant_id uuid PRIMARY KEY,
    number    bigint NOT NULL,
    marked_at timestamptz NOT NULL
);

-- Below which number each plan's runs have no parts in the bucket that a rebuild can't need
-- (docs/decisions/0019): a pass looks only at what was closed since.
CREATE TABLE swept_runs (
    tenant_id uuid NOT NULL,
    plan_id   uuid NOT NULL,
    number    integer NOT NULL,
    PRIMARY KEY (tenant_id, plan_id)
);

-- The ids of a version's chunks. ROWS is why this is a function: the planner takes a
-- generate_series of unknown length for a thousand rows, and hashes for a thousandfold.
CREATE FUNCTION split_ids(ids bytea) RETURNS SETOF bytea
    LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE ROWS 2 AS $$
BEGIN
    FOR at IN 1 .. octet_length(ids) BY 32 LOOP
        RETURN NEXT substr(ids, at, 32);
    END LOOP;
END
$$;

GRANT SELECT, INSERT, UPDATE ON tenants, destructions TO coffre_retention;
GRANT SELECT, INSERT, UPDATE ON judged_runs, expiry_holds, clock, marks TO coffre_retention;
GRANT SELECT, INSERT ON clock_acceptances TO coffre_retention;
GRANT SELECT, INSERT, UPDATE ON swept_runs TO coffre_retention;
GRANT EXECUTE ON FUNCTION split_ids(bytea) TO coffre_retention;
