-- Overage cases as quota tells of them, what clients answer, and what operators decide.

CREATE TABLE portal.overages (
    case_id      uuid PRIMARY KEY,
    tenant_id    uuid NOT NULL,
    version      bigint NOT NULL,
    is_open      boolean NOT NULL,
    opened_at    timestamptz NOT NULL,
    passed_at    timestamptz NOT NULL,
    deadline_at  timestamptz NOT NULL,
    final_at     timestamptz NOT NULL,
    reached_on   date,
    weekly_bytes bigint,
    fills        jsonb NOT NULL
);
CREATE INDEX overages_open ON portal.overages (tenant_id) WHERE is_open;

-- The newest answer to a case: the portal's own word.
CREATE TABLE portal.overage_answers (
    case_id     uuid PRIMARY KEY,
    tenant_id   uuid NOT NULL REFERENCES portal.tenants,
    answer      text NOT NULL CHECK (answer IN ('order', 'reduce', 'call')),
    answered_by text NOT NULL,
    answered_at timestamptz NOT NULL
);

CREATE TABLE portal.overage_decisions (
    tenant_id   uuid NOT NULL REFERENCES portal.tenants,
    version     bigint NOT NULL,        -- the newer one wins
    decision_id uuid NOT NULL UNIQUE,
    decision    text NOT NULL CHECK (decision IN ('extend', 'block', 'unblock')),
    until       timestamptz,
    reason      text NOT NULL,
    decided_by  text NOT NULL,
    decided_at  timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, version),
    CHECK ((decision = 'extend') = (until IS NOT NULL))
);

GRANT SELECT, INSERT, UPDATE ON portal.overages, portal.overage_answers TO coffre_portal;
GRANT SELECT, INSERT ON portal.overage_decisions TO coffre_portal;
