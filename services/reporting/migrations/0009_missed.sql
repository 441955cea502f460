-- When each plan's next run is expected, and missed.

ALTER TABLE runs ADD COLUMN lasted interval; -- NULL: known from before

-- Only what is due is looked at. expected_at NULL: nothing is expected until due_at.
CREATE TABLE expected (
    tenant_id     uuid NOT NULL,
    plan_id       uuid NOT NULL,
    schedule      text NOT NULL,
    timezone      text NOT NULL,
    watched_since timestamptz NOT NULL,
    last_run      integer NOT NULL,
    expected_at   timestamptz,
    due_at        timestamptz,      -- NULL: its rhythm can't be read, or has no next time
    since         timestamptz,
    times         integer NOT NULL DEFAULT 0,
    told_at       timestamptz,
    note          text NOT NULL DEFAULT '', -- who paused it, and why
    PRIMARY KEY (tenant_id, plan_id)
);
CREATE INDEX expected_due ON expected (due_at);

-- Plans that are known already are watched from the first turn on.
INSERT INTO expected (tenant_id, plan_id, schedule, timezone, watched_since, last_run, due_at)
SELECT p.tenant_id, p.plan_id, p.schedule, p.timezone,
    coalesce(min(r.arrived_at), 'epoch'), coalesce(max(r.number), 0), 'epoch'
FROM plans p LEFT JOIN runs r USING (tenant_id, plan_id)
GROUP BY p.tenant_id, p.plan_id;

-- Whether reporting hears what others say.
CREATE TABLE hearing (
    one          boolean PRIMARY KEY DEFAULT true CHECK (one),
    heard_at     timestamptz NOT NULL,
    steady_since timestamptz NOT NULL
);

GRANT SELECT, INSERT, UPDATE, DELETE ON expected TO coffre_reporting;
GRANT SELECT, INSERT, UPDATE ON hearing TO coffre_reporting;
