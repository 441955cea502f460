-- What the bucket must know of each run's end, and of whole lists (docs/decisions/0013).

-- tried_at: a commit was tried, so a head may lie in the bucket; head_key: the head that became
-- the restore point; end_written: the bucket was told how the run ended.
ALTER TABLE ingest.runs
    ADD COLUMN tried_at timestamptz,
    ADD COLUMN head_key text,
    ADD COLUMN end_written boolean NOT NULL DEFAULT false;
CREATE INDEX runs_without_end ON ingest.runs (finished_at)
    WHERE tried_at IS NOT NULL AND finished_at IS NOT NULL AND NOT end_written;

-- listed_entries: the size of the plan's last whole list; unlisted_*: what its runs said since.
ALTER TABLE ingest.plans
    ADD COLUMN listed_entries bigint NOT NULL DEFAULT 0,
    ADD COLUMN unlisted_entries bigint NOT NULL DEFAULT 0,
    ADD COLUMN unlisted_runs integer NOT NULL DEFAULT 0;

-- An agent known from the bucket alone: nobody has its token, and the next machine of its name
-- that enrols goes on as this agent.
ALTER TABLE ingest.agents ADD COLUMN vacant_since timestamptz;

-- Tenants that were rebuilt from the bucket, or are being so.
CREATE TABLE ingest.rebuilds (
    tenant_id   uuid PRIMARY KEY,
    started_at  timestamptz NOT NULL,
    finished_at timestamptz
);
GRANT SELECT, INSERT, UPDATE ON ingest.rebuilds TO coffre_ingest;
