-- Who gets reports without having an account: one row an address that somebody decided about.

CREATE TABLE portal.recipients (
    tenant_id     uuid NOT NULL REFERENCES portal.tenants,
    plan_id       uuid NOT NULL,
    email         text NOT NULL CHECK (email = lower(email)),
    state         text NOT NULL
        CHECK (state IN ('set', 'asked', 'accepted', 'declined', 'removed')),
    changed_at    timestamptz NOT NULL,
    invitation_id uuid UNIQUE,          -- of who was ever asked
    asked_at      timestamptz,
    PRIMARY KEY (tenant_id, plan_id, email)
);
CREATE INDEX recipients_asked ON portal.recipients (tenant_id, asked_at);

-- What reporting was told last of a plan, so that it is told again only when it differs.
CREATE TABLE portal.recipients_told (
    tenant_id uuid NOT NULL REFERENCES portal.tenants,
    plan_id   uuid NOT NULL,
    version   bigint NOT NULL,
    told      jsonb NOT NULL,           -- {"recipients": […], "pending": […]}
    PRIMARY KEY (tenant_id, plan_id)
);

GRANT SELECT, INSERT, UPDATE, DELETE ON portal.recipients TO coffre_portal;
GRANT SELECT, INSERT, UPDATE ON portal.recipients_told TO coffre_portal;
