-- What a run read from the disk of its machine; none where its agent doesn't say.
ALTER TABLE portal.runs ADD COLUMN bytes_read bigint;
