-- Each day's row is told to the portal once the day is over, and again when it changed since.
ALTER TABLE days ADD COLUMN version bigint NOT NULL DEFAULT 1, -- the newer one wins
                 ADD COLUMN told_version bigint NOT NULL DEFAULT 0;
CREATE INDEX days_untold ON days (day, tenant_id) WHERE told_version < version;
