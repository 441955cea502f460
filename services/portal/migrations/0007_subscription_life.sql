-- Until when the backup software is maintained: the subscription ends with that day.
-- maintenance_told: at how many days before it the administrators were told last.
ALTER TABLE portal.tenants ADD COLUMN maintenance_until date;
ALTER TABLE portal.tenants ADD COLUMN maintenance_told int;
CREATE INDEX tenants_maintained ON portal.tenants (maintenance_until)
    WHERE maintenance_until IS NOT NULL AND subscription IN ('active', 'ending', 'suspended');

-- Terms that clients accept, version by version. Rows are only ever added.
CREATE TABLE portal.documents (
    document     text NOT NULL,
    version      text NOT NULL CHECK (version <> ''),
    title        text NOT NULL CHECK (title <> ''),
    text         text NOT NULL CHECK (text <> ''),
    text_sha256  bytea NOT NULL CHECK (length(text_sha256) = 32),
    in_force_on  date NOT NULL,
    published_at timestamptz NOT NULL,
    published_by text NOT NULL,
    PRIMARY KEY (document, version)
);

-- Who accepted which version, when, from where: proof, which stays when the person goes.
CREATE TABLE portal.acceptances (
    tenant_id   uuid NOT NULL REFERENCES portal.tenants,
    user_id     uuid NOT NULL,
    name        text NOT NULL,
    document    text NOT NULL,
    version     text NOT NULL,
    text_sha256 bytea NOT NULL,
    accepted_at timestamptz NOT NULL,
    address     text NOT NULL,
    PRIMARY KEY (tenant_id, document, version),
    FOREIGN KEY (document, version) REFERENCES portal.documents
);

-- Events that wait for a person in some service's inbox, as it told.
CREATE TABLE portal.parked (
    service    text NOT NULL,
    event_id   uuid NOT NULL,
    tenant_id  uuid NOT NULL,              -- zeros: of no client
    event_type text NOT NULL,
    error      text NOT NULL,
    attempts   int NOT NULL,
    parked_at  timestamptz NOT NULL,
    settled_at timestamptz,
    decision   text CHECK (decision IN ('replay', 'drop')),
    reason     text NOT NULL DEFAULT '',
    decided_by text NOT NULL DEFAULT '',
    decided_at timestamptz,
    PRIMARY KEY (service, event_id)
);
CREATE INDEX parked_waiting ON portal.parked (parked_at)
    WHERE settled_at IS NULL OR settled_at < parked_at;

GRANT SELECT, INSERT ON portal.documents, portal.acceptances TO coffre_portal;
GRANT SELECT, INSERT, UPDATE, DELETE ON portal.parked TO coffre_portal;
