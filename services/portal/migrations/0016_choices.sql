-- Which reports each reader gets, and whether a client wants any.

CREATE TABLE portal.readers (
    tenant_id  uuid NOT NULL REFERENCES portal.tenants,
    email      text NOT NULL CHECK (email = lower(email)),
    choice     text NOT NULL DEFAULT 'every' CHECK (choice IN ('every', 'failures', 'weekly')),
    locale     text CHECK (locale IN ('fr', 'en')), -- NULL: the account's, or the client's
    changed_at timestamptz NOT NULL,
    changed_by text NOT NULL,                       -- an administrator, or the reader
    PRIMARY KEY (tenant_id, email)
);

-- A row: the client declined its reports. The log has who took that back, and when.
CREATE TABLE portal.reports_declined (
    tenant_id   uuid PRIMARY KEY REFERENCES portal.tenants,
    declined_at timestamptz NOT NULL,
    declined_by text NOT NULL
);

GRANT SELECT, INSERT, UPDATE, DELETE ON portal.readers TO coffre_portal;
GRANT SELECT, INSERT, DELETE ON portal.reports_declined TO coffre_portal;
