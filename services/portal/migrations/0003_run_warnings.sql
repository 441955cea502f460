-- What agents warned of in their runs; runs of before have none.
ALTER TABLE portal.runs ADD COLUMN warnings jsonb NOT NULL DEFAULT '[]';
