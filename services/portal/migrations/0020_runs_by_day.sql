-- A client's first page shows what ran on each of the last days, whatever the plan.
CREATE INDEX runs_started ON portal.runs (tenant_id, started_at);
