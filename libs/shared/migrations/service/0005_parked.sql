-- When the portal was told that an event waits for a person; none: not yet.
ALTER TABLE inbox ADD COLUMN told_at timestamptz;
CREATE INDEX inbox_untold ON inbox (position) WHERE state = 'parked' AND told_at IS NULL;
