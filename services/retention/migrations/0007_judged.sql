-- A hold says whose judgement it is: reporting's, told by event, or that of retention itself, from
-- which further losses are counted (docs/decisions/0052).
ALTER TABLE expiry_holds
    ADD COLUMN judge text NOT NULL DEFAULT 'retention' CHECK (judge IN ('retention', 'reporting')),
    DROP CONSTRAINT expiry_holds_pkey,
    ADD PRIMARY KEY (tenant_id, plan_id, number, judge);
