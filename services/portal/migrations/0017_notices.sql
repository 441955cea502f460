-- What operators announce to clients, and whose mail of it came.

CREATE TABLE portal.notices (
    notice_id    uuid PRIMARY KEY,
    kind         text NOT NULL CHECK (kind IN ('maintenance', 'location', 'text')),
    title_fr     text NOT NULL,
    title_en     text NOT NULL,
    text_fr      text NOT NULL,
    text_en      text NOT NULL,
    begins_at    timestamptz,
    ends_at      timestamptz,
    ahead        interval NOT NULL,
    everybody    boolean NOT NULL,
    drafted_at   timestamptz NOT NULL,
    drafted_by   text NOT NULL,
    published_at timestamptz,
    published_by text,
    withdrawn_at timestamptz,
    withdrawn_by text,
    done_at      timestamptz,
    done_by      text
);

-- Whom a notice is for: chosen clients from its draft on, all others once they were told.
CREATE TABLE portal.notice_clients (
    notice_id  uuid NOT NULL REFERENCES portal.notices,
    tenant_id  uuid NOT NULL REFERENCES portal.tenants,
    version    integer NOT NULL DEFAULT 0, -- how often it was told
    mailing_id uuid UNIQUE,
    told_at    timestamptz,
    PRIMARY KEY (notice_id, tenant_id)
);
CREATE INDEX notice_clients_tenant ON portal.notice_clients (tenant_id);

CREATE TABLE portal.notice_mails (
    mailing_id uuid NOT NULL,
    tenant_id  uuid NOT NULL REFERENCES portal.tenants,
    recipient  text NOT NULL,
    outcome    text NOT NULL CHECK (outcome IN ('accepted', 'refused')),
    answer     text NOT NULL,
    at         timestamptz, -- when it was accepted
    PRIMARY KEY (mailing_id, recipient)
);

GRANT SELECT, INSERT, UPDATE ON portal.notices TO coffre_portal;
GRANT SELECT, INSERT, UPDATE, DELETE ON portal.notice_clients, portal.notice_mails
    TO coffre_portal;
