-- Files that a script put into an open run, each whole, with the folders above them; gone with
-- the run's end. Its commit makes batches of them, as agents send.
CREATE TABLE ingest.run_files (
    run_id      uuid NOT NULL REFERENCES ingest.runs,
    path_sha256 bytea NOT NULL,
    -- New with each time that a path is put: tells a commit whether it saw all of them.
    put_no      bigint GENERATED ALWAYS AS IDENTITY,
    kind        text NOT NULL CHECK (kind IN ('f', 'd')),
    folder      bytea NOT NULL,
    name        bytea NOT NULL,
    mode        integer NOT NULL,
    mtime_ns    bigint NOT NULL,
    size        bigint NOT NULL,
    chunk_ids   bytea NOT NULL,
    -- The whole path is too long for a key.
    PRIMARY KEY (run_id, path_sha256)
);
ALTER TABLE ingest.run_files ALTER COLUMN chunk_ids SET STORAGE EXTERNAL;

GRANT SELECT, INSERT, UPDATE, DELETE ON ingest.run_files TO coffre_ingest;
