-- Folders into which committed runs brought entries, whose names can't be searched for yet.
-- A row goes in the transaction that makes its names findable.
CREATE TABLE ingest.names_due (
    due_id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id  uuid NOT NULL,
    plan_id    uuid NOT NULL,
    -- Null: whatever run brought them.
    run_number integer,
    folder_ids bigint[] NOT NULL
);
CREATE INDEX names_due_of_plan ON ingest.names_due (tenant_id, plan_id);

GRANT SELECT, INSERT, UPDATE, DELETE ON ingest.names_due TO coffre_ingest;
