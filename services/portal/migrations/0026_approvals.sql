-- Acts that wait for a second operator, where the installation wants four eyes on them.
CREATE TABLE portal.approvals (
    approval_id uuid PRIMARY KEY,
    tenant_id   uuid NOT NULL REFERENCES portal.tenants,
    kind        text NOT NULL,              -- services/portal/rules/approvals.py
    subject     text NOT NULL,              -- an address, where the kind has one
    reason      text NOT NULL,
    asked_by    uuid NOT NULL,
    asker       text NOT NULL,              -- the name shown, kept even when the person is gone
    asked_at    timestamptz NOT NULL,
    expires_at  timestamptz NOT NULL,
    answer      text CHECK (answer IN ('confirmed', 'declined')),
    answered_by text NOT NULL DEFAULT '',
    answered_at timestamptz
);
CREATE INDEX approvals_waiting ON portal.approvals (asked_at) WHERE answer IS NULL;

GRANT SELECT, INSERT, UPDATE, DELETE ON portal.approvals TO coffre_portal;
