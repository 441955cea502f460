-- Maintenance that agents are told of, for when the server is away.

CREATE TABLE notices (
    tenant_id uuid NOT NULL,
    notice_id uuid NOT NULL,
    version   integer NOT NULL,
    told      text,          -- JSON: window and title; NULL: withdrawn, or no maintenance
    ends_at   timestamptz,
    PRIMARY KEY (tenant_id, notice_id)
);

GRANT SELECT, INSERT, UPDATE, DELETE ON notices TO coffre_ingest;
