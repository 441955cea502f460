-- What a run read and sent beside what is usual; none from before reporting said so.
ALTER TABLE portal.judgements ADD COLUMN moved jsonb NOT NULL DEFAULT '[]';
