-- Expiry is judged over the whole window of retention (docs/decisions/0029).

-- first_run: the plan's first restore point, whose files may be older than their receipt.
-- kept_from: the oldest restore point that expiry was last let keep: the window begins there.
ALTER TABLE judged_runs
    ADD COLUMN first_run integer,
    ADD COLUMN kept_from integer NOT NULL DEFAULT 0;

-- A hold says why by a code, and from which restore point on content is gone.
ALTER TABLE expiry_holds
    ADD COLUMN since integer,
    ADD COLUMN reason jsonb;
UPDATE expiry_holds SET since = number,
    reason = jsonb_build_object('code', 'files-lost', 'subject', '', 'amount', NULL,
        'limit', NULL, 'detail', why);
ALTER TABLE expiry_holds
    ALTER COLUMN since SET NOT NULL,
    ALTER COLUMN reason SET NOT NULL,
    DROP COLUMN why;

-- Every service has these now, by shared/0004.
INSERT INTO seen_time (seen_at) SELECT seen_at FROM clock;
INSERT INTO time_acceptances SELECT accepted_at, seen_at, reason FROM clock_acceptances;
DROP TABLE clock, clock_acceptances;
