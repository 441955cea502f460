-- Since when the text of a mail is here; of those from before, since this migration.
ALTER TABLE portal.reports ADD COLUMN body_at timestamptz NOT NULL DEFAULT now();
CREATE INDEX reports_of_age ON portal.reports (body_at) WHERE body <> '';
