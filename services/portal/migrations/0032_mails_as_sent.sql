-- A run's report as it was sent to each of its readers; '' where that isn't known.
ALTER TABLE portal.reports
    ADD COLUMN subject text NOT NULL DEFAULT '',
    ADD COLUMN body text NOT NULL DEFAULT '';
