-- What each reader chose, and what waits for the mail of a day or a week.

ALTER TABLE tenants ADD COLUMN reports_declined boolean NOT NULL DEFAULT false;
ALTER TABLE runs ADD COLUMN recovers boolean NOT NULL DEFAULT false; -- well again after it wasn't
CREATE INDEX runs_reported ON runs (tenant_id, reported_at);

-- Runs that never came, as they were noted. told: by mail, to whoever gets one at once.
CREATE TABLE misses (
    tenant_id uuid NOT NULL,
    plan_id   uuid NOT NULL,
    missed_at timestamptz NOT NULL,
    after_run integer NOT NULL,
    told      boolean NOT NULL,
    noted_at  timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, plan_id, missed_at)
);
CREATE INDEX misses_noted ON misses (tenant_id, noted_at);

-- Clients of whom somebody gets one mail a week: up to when they were told of days and of weeks.
CREATE TABLE reviews (
    tenant_id  uuid PRIMARY KEY,
    day_until  timestamptz NOT NULL,
    week_until timestamptz NOT NULL,
    next_at    timestamptz NOT NULL
);
CREATE INDEX reviews_next ON reviews (next_at);

GRANT SELECT, INSERT, UPDATE, DELETE ON misses, reviews TO coffre_reporting;
