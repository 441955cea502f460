-- What of a batch's content came since the restore point before, as it is and as it was compressed.
ALTER TABLE ingest.run_batches
    ADD COLUMN new_bytes bigint NOT NULL DEFAULT 0,
    ADD COLUMN packed_bytes bigint NOT NULL DEFAULT 0;
