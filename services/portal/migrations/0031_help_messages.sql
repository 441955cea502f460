-- What somebody wrote who asked for help, to be read beside the run; '' from before it was kept.
ALTER TABLE portal.help_requests ADD COLUMN message text NOT NULL DEFAULT '';
