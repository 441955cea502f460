-- How the last run of each plan ended, beside the plan: the operators' list of clients judges all
-- plans, and looked each of them up among millions of runs. What a portal of before hears while it
-- is being replaced is missing here until the plan's next run ends.
ALTER TABLE portal.plans
    ADD COLUMN last_number integer,
    ADD COLUMN last_outcome text,
    ADD COLUMN last_finished_at timestamptz;

UPDATE portal.plans p
SET last_number = r.number, last_outcome = r.outcome, last_finished_at = r.finished_at
FROM portal.plans q CROSS JOIN LATERAL (
    SELECT number, outcome, finished_at FROM portal.runs
    WHERE tenant_id = q.tenant_id AND plan_id = q.plan_id AND outcome IS NOT NULL
    ORDER BY number DESC LIMIT 1
) r
WHERE p.plan_id = q.plan_id;
