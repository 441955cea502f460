-- The last time that the service believed; a step from it that is too large makes what is decided
-- by the date wait (docs/decisions/0030).
CREATE TABLE seen_time (
    one     boolean PRIMARY KEY DEFAULT true CHECK (one),
    seen_at timestamptz NOT NULL
);

-- Who said that a step of the clock is right, and why.
CREATE TABLE time_acceptances (
    accepted_at timestamptz NOT NULL,
    seen_at     timestamptz,
    reason      text NOT NULL
);

DO $$
DECLARE
    service_role text := current_setting('coffre.service_role');
BEGIN
    EXECUTE format('GRANT SELECT, INSERT, UPDATE ON seen_time TO %I', service_role);
    EXECUTE format('GRANT SELECT, INSERT ON time_acceptances TO %I', service_role);
END
$$;
