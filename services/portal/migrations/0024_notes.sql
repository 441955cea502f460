-- What operators keep of a client for each other, and which runs hold a plan's expiry.

CREATE TABLE portal.notes (
    tenant_id  uuid NOT NULL REFERENCES portal.tenants,
    note_id    uuid NOT NULL,
    text       text NOT NULL CHECK (text <> ''),
    written_by text NOT NULL,
    written_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, note_id)
);
CREATE INDEX notes_newest ON portal.notes (tenant_id, written_at DESC);

-- Held by retention itself; what reporting judges is in judgements. clears has which are over.
CREATE TABLE portal.expiry_holds (
    tenant_id uuid NOT NULL,
    plan_id   uuid NOT NULL,
    number    integer NOT NULL,
    since     integer NOT NULL,
    reason    jsonb NOT NULL,
    held_at   timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, plan_id, number)
);

-- The days of a client, for its row in the operators' lists.
CREATE INDEX misses_days ON portal.misses (tenant_id, missed_at);

GRANT SELECT, INSERT, DELETE ON portal.notes TO coffre_portal;
GRANT SELECT, INSERT, UPDATE, DELETE ON portal.expiry_holds TO coffre_portal;
