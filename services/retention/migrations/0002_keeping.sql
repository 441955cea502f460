-- What expiry, collection and scrubbing must remember (docs/decisions/0009).

-- Nothing of a tenant is forgotten unless its subscription is known to be alive.
ALTER TABLE tenants ADD COLUMN subscription text NOT NULL DEFAULT 'unknown';

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

GRANT SELECT, INSERT, UPDATE ON judged_runs, expiry_holds, clock, marks TO coffre_retention;
GRANT SELECT, INSERT ON clock_acceptances TO coffre_retention;
