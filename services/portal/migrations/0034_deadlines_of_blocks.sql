-- The deadline at which growth ended, which each reader is told in their own language; null where
-- an operator blocked it, in words of their own.

ALTER TABLE portal.allowances ADD COLUMN ended_at timestamptz;
